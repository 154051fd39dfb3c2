"""The checks of `python_client.py` about the large files of a whole history, and about attachments.

Imported by that script, which starts the server; not run on its own.
"""

import hashlib
import urllib.error
import urllib.request

from huggingface_hub import errors

from python_client import ENDPOINT, ROOT, WORK, anonymous, api, check, guest, raises, status

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def files(repo):
    return sorted((file.filename, file.file_oid) for file in api.list_lfs_files(repo))


@check
def large_files_are_listed_and_deleted_for_good():
    repo = api.create_repo("acme/heavy").repo_id
    old, new = b"old" * 1000, b"new" * 1000
    for content in (old, new):
        api.upload_file(path_or_fileobj=content, path_in_repo="w.bin", repo_id=repo)
    api.create_tag(repo, tag="v1", revision="main")
    assert files(repo) == sorted([("w.bin", sha256(old)), ("w.bin", sha256(new))])
    [file] = [file for file in api.list_lfs_files(repo) if file.file_oid == sha256(old)]
    assert (file.size, file.ref, file.oid) == (len(old), "refs/heads/main", sha256(old)), file
    assert file.pushed_at.year >= 2024
    for client, code in ((guest, 403), (anonymous, 401)):
        error = raises(errors.HfHubHTTPError, lambda client=client: list(client.list_lfs_files(repo)))
        assert status(error) == code, error
    api.permanently_delete_lfs_files(repo, [file])
    assert files(repo) == [("w.bin", sha256(new))]
    assert len(api.list_repo_commits(repo)) == 3 and api.file_exists(repo, "w.bin", revision="v1")
    api.permanently_delete_lfs_files(repo, api.list_lfs_files(repo), rewrite_history=False)
    assert files(repo) == [] and "w.bin" in api.list_repo_files(repo)
    raises(errors.EntryNotFoundError, api.hf_hub_download, repo, "w.bin", cache_dir=WORK / "heavy")
    assert not list((ROOT / "lfs").glob(f"??/??/{sha256(new)}"))


@check
def an_attachment_has_an_address():
    path = WORK / "picture.PNG"
    path.write_bytes(PNG)
    url = api.upload_attachment(path)
    assert url.startswith(f"{ENDPOINT}/uploads/") and url.endswith(".png"), url
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == PNG
        assert answer.headers["content-type"] == "image/png" and answer.headers["x-content-type-options"] == "nosniff"
    path.write_bytes(b"<svg onload='alert(1)'/>")
    assert status(raises(errors.HfHubHTTPError, api.upload_attachment, path)) == 400
    assert status(raises(errors.HfHubHTTPError, guest.upload_attachment, path)) == 403
    assert status(raises(errors.HfHubHTTPError, anonymous.upload_attachment, path)) == 401
    path.write_bytes(PNG + bytes(10 << 20))
    assert status(raises(errors.HfHubHTTPError, api.upload_attachment, path)) == 413
    for name in ("x.png", "..%2F..%2Fhub.db", "0" * 64 + ".html"):
        try:
            urllib.request.urlopen(f"{ENDPOINT}/uploads/{name}")
        except urllib.error.HTTPError as error:
            assert error.code == 404
        else:
            raise AssertionError(name)
