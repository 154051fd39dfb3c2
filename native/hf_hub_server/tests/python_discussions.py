"""The checks of `python_client.py` about discussions and pull requests.

Imported by that script, which starts the server; not run on its own.
"""

import warnings

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DiscussionComment, DiscussionCommit
from huggingface_hub import DiscussionStatusChange, DiscussionTitleChange, errors

from python_client import ENDPOINT, anonymous, api, check, guest, hub, raises, status

AUTHOR = "hf_author_token"
hub("user", "add", "author", "--token", AUTHOR)
author = type(api)(token=AUTHOR)
REPO = api.create_repo("acme/talk").repo_id


def put(path, content, **options):
    """Commits a file as the author of pull requests."""
    return author.create_commit(REPO, [CommitOperationAdd(path, content)], commit_message=f"Put {path}", **options)


def refused(code, words, function, *arguments, **options):
    """Checks that a call fails with a status and a message."""
    error = raises(errors.HfHubHTTPError, function, *arguments, **options)
    assert status(error) == code and words in str(error), error


@check
def a_discussion_is_opened_commented_and_closed():
    opened = author.create_discussion(REPO, " A question ", description=" **Why?** ")
    assert (opened.num, opened.title, opened.status, opened.author) == (1, "A question", "open", "author")
    assert (opened.is_pull_request, opened.repo_id, opened.repo_type) == (False, REPO, "model")
    assert (opened.git_reference, opened.diff, opened.conflicting_files, opened.target_branch) == (None, None, None, None)
    assert opened.url == f"{ENDPOINT}/{REPO}/discussions/1"
    assert [type(event) for event in opened.events] == [DiscussionComment]
    assert (opened.events[0].content, opened.events[0].author) == ("**Why?**", "author")

    answer = api.comment_discussion(REPO, 1, "Because 🤗 <b>")
    assert (answer.content, answer.edited, answer.hidden, answer.edit_history) == ("Because 🤗 <b>", False, False, [])
    assert answer.rendered == "<p>Because 🤗 <b></b></p>\n" and answer.last_edited_by == "owner"
    edited = api.edit_discussion_comment(REPO, 1, answer.id.upper(), "Because of it")
    assert (edited.id, edited.content, edited.edited, edited.number_of_edits) == (answer.id, "Because of it", True, 1)
    assert edited.edit_history[0]["raw"] == "Because 🤗 <b>" and edited.last_edited_at >= answer.created_at
    renamed = author.rename_discussion(REPO, 1, "An answer")
    assert (type(renamed), renamed.old_title, renamed.new_title) == (DiscussionTitleChange, "A question", "An answer")
    closed = author.change_discussion_status(REPO, 1, "closed", comment="Thanks")
    assert (type(closed), closed.new_status) == (DiscussionStatusChange, "closed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        hidden = api.hide_discussion_comment(REPO, 1, opened.events[0].id)
    assert (hidden.hidden, hidden.edit_history, "Why" in hidden.content) == (True, [], False)

    details = anonymous.get_discussion_details(REPO, 1)
    kinds = ["comment", "comment", "title-change", "comment", "status-change"]
    assert [event.type for event in details.events] == kinds and details.status == "closed"
    assert (details.events[0], details.events[1], details.events[2], details.events[4]) == (hidden, edited, renamed, closed)
    assert len({event.id for event in details.events}) == 5
    assert api.create_discussion(REPO, "Without words").events[0].content.startswith("Discussion opened with")


@check
def a_draft_becomes_a_merged_pull_request():
    draft = author.create_pull_request(REPO, "Better files")
    assert (draft.num, draft.status, draft.is_pull_request, draft.git_reference) == (3, "draft", True, "refs/pr/3")
    assert (draft.conflicting_files, draft.target_branch, draft.diff) == ([], "refs/heads/main", "")
    assert draft.merge_commit_oid is None
    commit = put("a.txt", b"1\n", revision=draft.git_reference)
    assert commit.pr_url is None
    refused(409, "is a draft", api.merge_pull_request, REPO, 3)
    assert author.change_discussion_status(REPO, 3, "open").new_status == "open"
    refused(403, "rights to change", author.merge_pull_request, REPO, 3)
    api.merge_pull_request(REPO, 3, comment=" Thanks ")

    merged = anonymous.get_discussion_details(REPO, 3)
    assert merged.status == "merged" and "+++ b/a.txt\n@@ -0,0 +1 @@\n+1\n" in merged.diff
    comment, pushed, opened, thanks, end = merged.events
    assert (type(pushed), pushed.summary, pushed.oid, pushed.author) == (DiscussionCommit, "Put a.txt", commit.oid, "author")
    assert (opened.new_status, thanks.content, thanks.author, end.new_status) == ("open", "Thanks", "owner", "merged")
    newest = api.list_repo_commits(REPO)[0]
    assert (newest.commit_id, newest.title) == (merged.merge_commit_oid, "Better files (#3)")
    assert f"- Put a.txt ({commit.oid})" in newest.message and "Co-authored-by: author" in newest.message
    assert api.file_exists(REPO, "a.txt") and api.file_exists(REPO, "a.txt", revision="refs/pr/3")
    refused(409, "already been merged", api.merge_pull_request, REPO, 3)
    refused(409, "already been merged", api.change_discussion_status, REPO, 3, "closed")
    assert api.create_pull_request(REPO, "Empty").events[0].content.startswith("Pull Request opened with")


@check
def a_commit_opens_a_pull_request_which_may_conflict():
    commit = put("a.txt", b"2\n", create_pr=True, commit_description="What it does")
    assert (commit.pr_num, commit.pr_revision, commit.pr_url) == (5, "refs/pr/5", f"{ENDPOINT}/{REPO}/discussions/5")
    opened = author.get_discussion_details(REPO, commit.pr_num)
    assert (opened.status, opened.title, opened.conflicting_files) == ("open", "Put a.txt", [])
    assert [event.type for event in opened.events] == ["comment", "commit"]
    api.create_commit(REPO, [CommitOperationDelete("a.txt")], commit_message="Remove")
    assert author.get_discussion_details(REPO, 5).conflicting_files == ["a.txt"]
    refused(409, "merge conflicts: a.txt", api.merge_pull_request, REPO, 5)
    author.change_discussion_status(REPO, 5, "closed")
    refused(409, "is closed", put, "b.txt", b"", revision="refs/pr/5")


@check
def discussions_are_listed_with_filters():
    def numbers(**options):
        return [found.num for found in anonymous.get_repo_discussions(REPO, **options)]

    assert numbers() == [5, 4, 3, 2, 1] == numbers(discussion_type="all", discussion_status="all")
    assert numbers(discussion_type="pull_request") == [5, 4, 3] and numbers(discussion_type="discussion") == [2, 1]
    assert numbers(discussion_status="open") == [4, 2] and numbers(discussion_status="closed") == [5, 3, 1]
    assert numbers(author="author") == [5, 3, 1] and numbers(author="nobody") == []
    for count in range(47):
        author.create_discussion(REPO, f"Another {count}")
    assert numbers() == list(range(52, 0, -1))
    draft = list(anonymous.get_repo_discussions(REPO, discussion_status="open"))[-2]
    assert (draft.num, draft.status, draft.author, draft.git_reference) == (4, "draft", "owner", "refs/pr/4")


@check
def only_some_may_take_part():
    refused(403, "write token", guest.create_discussion, REPO, "A question")
    refused(401, "", anonymous.comment_discussion, REPO, 1, "x")
    refused(403, "Only the author", author.rename_discussion, REPO, 2, "Mine now")
    refused(404, "Discussion not found", api.get_discussion_details, REPO, 999)
    refused(400, '"title" length must be at least 3', api.create_discussion, REPO, "ab")
    raises(errors.RepositoryNotFoundError, author.create_discussion, "acme/hidden", "A question")
    dataset = author.create_discussion("acme/table", "About data", repo_type="dataset")
    assert dataset.url == f"{ENDPOINT}/datasets/acme/table/discussions/1"
    assert api.create_discussion("gpt2", "Without a namespace").repo_id == "gpt2"
    api.move_repo(REPO, "acme/talked")
    assert [found.num for found in author.get_repo_discussions(REPO, discussion_type="pull_request")] == [5, 4, 3]
    assert author.comment_discussion(REPO, 1, "By the old name").content == "By the old name"
    assert author.get_discussion_details("acme/talked", 1).repo_id == "acme/talked"
