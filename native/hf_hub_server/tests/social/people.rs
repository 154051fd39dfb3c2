use reqwest::Method;
use serde_json::{Value, json};

use super::common::{Root, Server, header, stderr};
use super::{list, root, status};

async fn overview(server: &Server, token: &str, path: &str) -> Value {
    let (status, overview) =
        server.send(token, Method::GET, &format!("/api/{path}/overview"), &Value::Null).await;
    assert_eq!(status, 200, "{path}");
    overview
}

fn fails(root: &Root, arguments: &[&str]) -> String {
    let output = root.command(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    stderr(&output)
}

#[tokio::test]
async fn followers_are_counted_and_listed() {
    let root = root();
    let server = root.serve(&["--page-size", "2"]);
    for (follower, followed) in
        [("bob", "ann"), ("guest", "ann"), ("ann", "bob"), ("bob", "acme"), ("bob", "ann")]
    {
        root.run(&["user", "follow", follower, followed]);
    }
    let ann = overview(&server, "hf_bob", "users/ann").await;
    assert_eq!(
        (&ann["numFollowers"], &ann["numFollowing"], &ann["isFollowing"]),
        (&json!(2), &json!(1), &json!(true))
    );
    assert_eq!(overview(&server, "", "users/ann").await["isFollowing"], false);
    // What bob follows are users here: the organisation is not among them.
    assert_eq!(overview(&server, "", "users/bob").await["numFollowing"], 1);
    let acme = overview(&server, "hf_bob", "organizations/acme").await;
    assert_eq!((&acme["numFollowers"], &acme["isFollowing"]), (&json!(1), &json!(true)));

    for (path, names) in [
        ("/api/users/ann/followers", vec!["guest", "bob"]),
        ("/api/users/ann/following", vec!["bob"]),
        ("/api/users/bob/following", vec!["ann"]),
        ("/api/users/guest/followers", vec![]),
        ("/api/organizations/acme/followers", vec!["bob"]),
    ] {
        assert_eq!(list(&server, "", path, "/user").await, names, "{path}");
    }
    let followed = list(&server, "hf_ann", "/api/users/ann/followers", "/isFollowing").await;
    assert_eq!(followed, [false, true]);
    let first = server.get("/api/users/ann/followers?limit=1").await;
    let link = header(&first, "link").to_owned();
    let next = link.trim_start_matches('<').split_once('>').unwrap().0.to_owned();
    assert_eq!(list(&server, "", &next, "/user").await, ["bob"]);

    root.run(&["user", "unfollow", "bob", "ann"]);
    root.run(&["user", "unfollow", "bob", "ann"]);
    assert_eq!(root.run(&["user", "followers", "ann"]), "guest");
    assert!(fails(&root, &["user", "follow", "ann", "ann"]).contains("cannot follow itself"));
    assert!(fails(&root, &["user", "follow", "ann", "nobody"]).contains("no user or organisation"));
    assert!(fails(&root, &["user", "follow", "nobody", "ann"]).contains("no user `nobody`"));
}

#[tokio::test]
async fn an_overview_counts_what_the_caller_sees() {
    let root = root();
    root.import("acme/r", &[("a", b"1")], &[]);
    root.import("acme/hidden", &[("a", b"1")], &["--private"]);
    root.import("acme/data", &[("a", b"1")], &["--type", "dataset"]);
    root.import("ann/space", &[("a", b"1")], &["--type", "space"]);
    let papers = json!([
        { "id": "1", "authors": [{ "name": "Ann", "user": { "user": "ann" } }, { "name": "X" }] },
        { "id": "2", "authors": [{ "name": "ann" }], "organization": { "name": "acme" } },
    ]);
    let folder = root.folder(&[("papers.json", papers.to_string().as_bytes())]);
    root.run(&["papers", "import", folder.join("papers.json").to_str().unwrap()]);
    root.run(&["org", "set", "acme", "--fullname", "Acme Corp", "--details", "We make it."]);
    root.run(&["user", "set", "ann", "--fullname", "Ann Example", "--details", "About me"]);
    let server = root.serve(&[]);

    for (token, models) in [("", 1), ("hf_bob", 1), ("hf_guest", 2), ("hf_ann", 2)] {
        let acme = overview(&server, token, "organizations/acme").await;
        assert_eq!(acme["numModels"], models, "{token}");
        assert_eq!((&acme["numDatasets"], &acme["numUsers"]), (&json!(1), &json!(2)));
        assert_eq!((&acme["fullname"], &acme["numPapers"]), (&json!("Acme Corp"), &json!(1)));
        assert_eq!((&acme["details"], &acme["type"]), (&json!("We make it."), &json!("org")));
    }
    let ann = overview(&server, "", "users/ann").await;
    assert_eq!((&ann["numSpaces"], &ann["numPapers"]), (&json!(1), &json!(1)));
    assert_eq!((&ann["fullname"], &ann["details"]), (&json!("Ann Example"), &json!("About me")));
    assert_eq!(ann["orgs"][0]["fullname"], "Acme Corp");
    assert!(
        ann["createdAt"].as_str().unwrap().ends_with('Z')
            && ann["_id"].as_str().unwrap().len() == 24
    );
    let whoami: Value = server.get_as("hf_ann", "/api/whoami-v2").await.json().await.unwrap();
    assert_eq!(whoami["orgs"][0]["fullname"], "Acme Corp");
    for path in ["users/acme", "users/nobody", "organizations/ann", "organizations/nobody"] {
        for route in ["overview", "followers"] {
            let path = format!("/api/{path}/{route}");
            assert_eq!(status(&server, "hf_ann", Method::GET, &path).await, 404, "{path}");
        }
    }
    assert_eq!(status(&server, "", Method::GET, "/api/organizations/ann/members").await, 404);
    assert_eq!(status(&server, "", Method::GET, "/api/users/acme/following").await, 404);
}

#[tokio::test]
async fn members_are_listed_with_roles_for_members() {
    let root = root();
    let server = root.serve(&[]);
    let members = "/api/organizations/acme/members";
    assert_eq!(list(&server, "", members, "/user").await, ["ann", "guest"]);
    assert_eq!(list(&server, "hf_guest", members, "/role").await, ["admin", "read"]);
    let (_, seen) = server.send("hf_bob", Method::GET, members, &Value::Null).await;
    assert!(seen[0].get("role").is_none());
    assert_eq!(list(&server, "", &format!("{members}?search=GUE"), "/user").await, ["guest"]);
    assert_eq!(
        list(&server, "", &format!("{members}?search=%25"), "/user").await,
        Vec::<Value>::new()
    );

    // Roles count at once.
    root.import("acme/r", &[("a", b"1")], &[]);
    let settings = "/api/models/acme/r/settings";
    let change = json!({ "private": true });
    assert_eq!(server.send("hf_guest", Method::PUT, settings, &change).await.0, 403);
    root.run(&["org", "join", "acme", "guest", "--role", "write"]);
    assert_eq!(server.send("hf_guest", Method::PUT, settings, &change).await.0, 200);
    assert_eq!(root.run(&["org", "members", "acme"]), "ann\tadmin\nguest\twrite");
    root.run(&["org", "leave", "acme", "guest"]);
    assert_eq!(server.send("hf_guest", Method::PUT, settings, &change).await.0, 404);
    assert_eq!(root.run(&["org", "list"]), "acme\t1");
}

#[test]
fn organisations_are_managed() {
    let root = root();
    root.run(&["org", "add", "lab", "--fullname", "The Lab"]);
    root.run(&["org", "add", "lab"]);
    assert_eq!(root.run(&["org", "list"]), "acme\t2\nlab\t0");
    for (arguments, message) in [
        (&["org", "add", "ann"][..], "`ann` is a user"),
        (&["org", "add", "../x"], "../x"),
        (&["org", "set", "none", "--fullname", "x"], "`none` does not exist"),
        (&["org", "join", "none", "ann"], "no organisation `none`"),
        (&["org", "join", "lab", "nobody"], "no user `nobody`"),
        (&["org", "leave", "lab", "ann"], "`ann` is not a member of `lab`"),
        (&["org", "members", "none"], "no organisation `none`"),
        (&["org", "remove", "none"], "no organisation `none`"),
        (&["user", "add", "lab"], "`lab` is an organisation"),
        (&["user", "set", "nobody", "--details", "x"], "`nobody` does not exist"),
    ] {
        let said = fails(&root, arguments);
        assert!(said.contains(message), "{arguments:?}: {said}");
    }
    root.import("lab/r", &[("a", b"1")], &[]);
    assert!(fails(&root, &["org", "remove", "lab"]).contains("`lab` has repositories"));
    root.run(&["org", "remove", "acme"]);
    assert_eq!(root.run(&["user", "list"]), "ann\t\nbob\t\nguest");
}

#[tokio::test]
async fn tokens_are_listed_and_revoked() {
    let root = root();
    let server = root.serve(&[]);
    let listed = root.run(&["user", "tokens", "ann"]);
    let tokens =
        listed.lines().map(|line| line.split('\t').collect::<Vec<_>>()).collect::<Vec<_>>();
    assert_eq!((tokens.len(), tokens[0][1], tokens[1][1]), (2, "write", "read"));
    assert_eq!((tokens[0][3], tokens[0][4]), ("-", "local"));
    assert!(!listed.contains("hf_ann"));

    let whoami = "/api/whoami-v2";
    root.run(&["user", "revoke", "ann", tokens[1][0]]);
    assert_eq!(status(&server, "hf_ann_reads", Method::GET, whoami).await, 401);
    assert_eq!(status(&server, "hf_ann", Method::GET, whoami).await, 200);
    assert!(fails(&root, &["user", "revoke", "ann", tokens[1][0]]).contains("has no token"));
    assert!(fails(&root, &["user", "revoke", "bob", tokens[0][0]]).contains("has no token"));
    // A short id, or none, must not revoke more than was meant.
    for id in ["", "a", "%", "_%__________"] {
        assert!(fails(&root, &["user", "revoke", "ann", id]).contains("12 hex digits"), "{id}");
    }
    let output = root.command(&["user", "revoke", "ann"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    root.run(&["user", "revoke", "ann", "--all"]);
    assert_eq!(status(&server, "hf_ann", Method::GET, whoami).await, 401);
    assert_eq!(root.run(&["user", "tokens", "ann"]), "");
}

#[tokio::test]
async fn a_removed_user_leaves_nothing_to_the_next_of_that_name() {
    let root = root();
    root.import("acme/gated", &[("a", b"1")], &["--gated", "manual"]);
    root.import("acme/r", &[("a", b"1")], &[]);
    root.run(&["repo", "grant", "acme/gated", "bob"]);
    root.run(&["user", "follow", "bob", "ann"]);
    let server = root.serve(&[]);
    let file = "/acme/gated/resolve/main/a";
    assert_eq!(status(&server, "hf_bob", Method::HEAD, file).await, 307);
    assert_eq!(status(&server, "hf_bob", Method::POST, "/api/models/acme/r/like").await, 200);

    root.run(&["user", "remove", "bob"]);
    assert_eq!(status(&server, "hf_bob", Method::HEAD, file).await, 401);
    assert_eq!(server.json("/api/models/acme/r").await["likes"], 0);
    assert_eq!(overview(&server, "", "users/ann").await["numFollowers"], 0);
    root.run(&["user", "add", "bob", "--token", "hf_bob"]);
    assert_eq!(status(&server, "hf_bob", Method::HEAD, file).await, 403);

    root.import("bob/own", &[("a", b"1")], &[]);
    assert!(fails(&root, &["user", "remove", "bob"]).contains("`bob` has repositories"));
    assert!(fails(&root, &["user", "remove", "nobody"]).contains("no user `nobody`"));
}
