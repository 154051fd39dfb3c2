/*
Runs the JavaScript client `@huggingface/hub` against the Local Hub, to check its compatibility.

usage: node js_client.mjs PATH_OF_HF_HUB_SERVER FOLDER_OF_NODE_MODULES

Starts the executable on an empty root and calls the client's functions for repositories, files and branches.
Prints `N passed, N failed`; the exit code is not 0 if a check failed.
*/

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [SERVER, MODULES] = process.argv.slice(2);
if (!MODULES) throw new Error("usage: node js_client.mjs PATH_OF_HF_HUB_SERVER FOLDER_OF_NODE_MODULES");
const require = createRequire(join(resolve(MODULES), "package.json"));
const hf = await import(pathToFileURL(require.resolve("@huggingface/hub")));

const WORK = mkdtempSync(join(tmpdir(), "js-client-"));
const ROOT = join(WORK, "root");
const TOKEN = "hf_owner_token";
const command = (...args) => execFileSync(SERVER, [...args, "--root", ROOT], { encoding: "utf8" });
command("user", "add", "owner", "--token", TOKEN);

const options = ["--page-size", "5", "--multipart-threshold", "1000000", "--part-size", "400000"];
const server = spawn(SERVER, ["serve", "--root", ROOT, "--stop-on-stdin-close", ...options], {
  stdio: ["pipe", "pipe", "inherit"],
});
const ready = await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
const hubUrl = JSON.parse(ready.value).endpoint;

const own = { hubUrl, accessToken: TOKEN };
const repo = { type: "model", name: "owner/model" };
const small = (text) => new Blob([text]);
const bytes = (size, seed) => Uint8Array.from({ length: size }, (_, n) => (n * seed) % 251);
const LARGE = bytes(300_000, 7);
const IN_PARTS = bytes(1_300_000, 11);
const sha256 = (content) => createHash("sha256").update(content).digest("hex");
const add = (path, content) => ({ operation: "addOrUpdate", path, content });
const text = async (path, more = {}) => (await hf.downloadFile({ repo, path, ...own, ...more })).text();

async function all(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

async function paths(more = {}) {
  const files = await all(hf.listFiles({ repo, recursive: true, ...own, ...more }));
  return files.filter((file) => file.type === "file").map((file) => file.path).sort();
}

// In this order: each depends on the earlier ones.
const checks = {
  async "identifies the user of a token"() {
    assert.equal((await hf.whoAmI(own)).name, "owner");
  },

  async "creates and finds repositories of each type"() {
    for (const type of ["model", "dataset", "space"]) {
      const repo = { type, name: `owner/${type}` };
      const sdk = type === "space" ? { sdk: "static" } : {};
      const created = await hf.createRepo({ repo, ...sdk, ...own });
      assert.ok(created.repoUrl.endsWith(`owner/${type}`), created.repoUrl);
      assert.equal(await hf.repoExists({ repo, ...own }), true);
      await hf.checkRepoAccess({ repo, ...own });
    }
    assert.equal(await hf.repoExists({ repo: "owner/none", ...own }), false);
    await assert.rejects(hf.createRepo({ repo, ...own }), (error) => error.statusCode === 409);
  },

  async "commits small and large files, whole and in parts"() {
    const operations = [
      add("README.md", small("---\nlicense: mit\npipeline_tag: text-generation\n---\n")),
      add("config.json", small("{}\n")),
      add("sub/naïve name.txt", small("x")),
      add("model.safetensors", new Blob([LARGE])),
      add("parts.safetensors", new Blob([IN_PARTS])),
      ...[1, 2, 3, 4, 5, 6].map((n) => add(`many/${n}.txt`, small(`${n}`))),
    ];
    const { commit } = await hf.commit({ repo, title: "First", operations, useXet: false, ...own });
    assert.match(commit.oid, /^[0-9a-f]{40}$/);
    assert.ok(commit.url.endsWith(commit.oid), commit.url);
  },

  async "lists files in several pages, with the hashes of large ones"() {
    assert.equal((await paths()).length, 12);
    assert.equal((await paths({ path: "many" })).length, 6);
    const large = (await all(hf.listFiles({ repo, ...own }))).find((file) => file.path === "model.safetensors");
    assert.deepEqual([large.size, large.lfs.oid], [LARGE.length, sha256(LARGE)]);
    const [info] = await hf.pathsInfo({ repo, paths: ["config.json"], ...own });
    assert.deepEqual([info.path, info.size], ["config.json", 3]);
  },

  async "downloads files unchanged"() {
    assert.equal(await text("config.json"), "{}\n");
    assert.equal(await text("sub/naïve name.txt"), "x");
    for (const [path, content] of [["model.safetensors", LARGE], ["parts.safetensors", IN_PARTS]]) {
      const blob = await hf.downloadFile({ repo, path, ...own });
      assert.equal(sha256(new Uint8Array(await blob.arrayBuffer())), sha256(content), path);
      const part = await blob.slice(1000, 1010).arrayBuffer();
      assert.deepEqual(new Uint8Array(part), content.slice(1000, 1010));
    }
    assert.equal(await hf.downloadFile({ repo, path: "none.txt", ...own }), null);
  },

  async "returns file info without a download"() {
    const large = await hf.fileDownloadInfo({ repo, path: "model.safetensors", ...own });
    assert.deepEqual([large.size, large.etag], [LARGE.length, `"${sha256(LARGE)}"`]);
    const config = await hf.fileDownloadInfo({ repo, path: "config.json", ...own });
    const oid = createHash("sha1").update("blob 3\0{}\n").digest("hex");
    assert.deepEqual([config.size, config.etag], [3, `"${oid}"`]);
    assert.equal(await hf.fileExists({ repo, path: "config.json", ...own }), true);
    assert.equal(await hf.fileExists({ repo, path: "none.txt", ...own }), false);
  },

  async "repository info is that of the default branch"() {
    const model = await hf.modelInfo({ name: "owner/model", additionalFields: ["sha", "tags", "author"], ...own });
    const [head] = await all(hf.listCommits({ repo, ...own }));
    assert.deepEqual([model.name, model.sha, model.task], ["owner/model", head.oid, "text-generation"]);
    assert.ok(model.tags.includes("license:mit"));
    assert.equal((await hf.datasetInfo({ name: "owner/dataset", ...own })).name, "owner/dataset");
    assert.equal((await hf.spaceInfo({ name: "owner/space", ...own })).sdk, "static");
    assert.equal((await hf.modelInfo({ name: "owner/model", revision: "main", ...own })).name, "owner/model");
  },

  async "search finds the created repositories"() {
    for (const [list, name] of [
      [hf.listModels, "owner/model"],
      [hf.listDatasets, "owner/dataset"],
      [hf.listSpaces, "owner/space"],
    ]) {
      const found = await all(list({ search: { owner: "owner" }, ...own }));
      assert.deepEqual(found.map((item) => item.name), [name]);
    }
  },

  async "uploads and deletions create commits"() {
    await hf.uploadFile({ repo, file: { path: "one.txt", content: small("1") }, ...own });
    const files = ["two.txt", "three.txt"].map((path) => ({ path, content: small(path) }));
    await hf.uploadFiles({ repo, files, commitTitle: "Two more", ...own });
    await hf.deleteFile({ repo, path: "one.txt", ...own });
    await hf.deleteFiles({ repo, paths: ["two.txt"], ...own });
    const found = await paths();
    assert.deepEqual(["one.txt", "two.txt", "three.txt"].map((path) => found.includes(path)), [false, false, true]);
    const titles = (await all(hf.listCommits({ repo, ...own }))).map((commit) => commit.title);
    assert.ok(titles.includes("Two more") && titles.includes("First"), titles);
    assert.equal(await hf.countCommits({ repo, ...own }), titles.length);
  },

  async "commits to branches and pull requests"() {
    await hf.createBranch({ repo, branch: "dev", ...own });
    await hf.uploadFile({ repo, file: { path: "dev.txt", content: small("dev") }, branch: "dev", ...own });
    assert.equal(await text("dev.txt", { revision: "dev" }), "dev");
    assert.equal(await hf.fileExists({ repo, path: "dev.txt", ...own }), false);
    await hf.deleteBranch({ repo, branch: "dev", ...own });
    const operations = [add("pr.txt", small("pr"))];
    const made = await hf.commit({ repo, title: "Proposed", operations, isPullRequest: true, ...own });
    assert.match(made.pullRequestUrl, /\/discussions\/1$/);
    assert.equal(await text("pr.txt", { revision: "refs/pr/1" }), "pr");
  },

  async "rejects a commit with an old parent"() {
    const [, parent] = await all(hf.listCommits({ repo, ...own }));
    const operations = [add("late.txt", small("late"))];
    const late = hf.commit({ repo, title: "Late", operations, parentCommit: parent.oid, ...own });
    await assert.rejects(late, (error) => error.statusCode === 412);
  },

  async "snapshots use the cache layout of the Python client"() {
    const cacheDir = join(WORK, "cache");
    const folder = await hf.snapshotDownload({ repo, cacheDir, ...own });
    assert.equal(readFileSync(join(folder, "config.json"), "utf8"), "{}\n");
    assert.equal(sha256(readFileSync(join(folder, "parts.safetensors"))), sha256(IN_PARTS));
    const scanned = await hf.scanCacheDir(cacheDir);
    assert.deepEqual(scanned.repos.map((found) => found.id.name), ["owner/model"]);
  },

  async "stores files of a default upload in Xet storage, and reads them there"() {
    const content = bytes(700_000, 13);
    await hf.uploadFile({ repo, file: { path: "xet.safetensors", content: new Blob([content]) }, ...own });
    const info = await hf.fileDownloadInfo({ repo, path: "xet.safetensors", ...own });
    assert.match(info.xet.hash, /^[0-9a-f]{64}$/);
    const read = await hf.downloadFile({ repo, path: "xet.safetensors", xet: true, ...own });
    assert.equal(sha256(new Uint8Array(await read.arrayBuffer())), sha256(content));
    await hf.deleteFile({ repo, path: "xet.safetensors", ...own });
  },

  async "reads safetensors headers by ranges"() {
    const header = new TextEncoder().encode(JSON.stringify({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8] } }));
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
    const file = { path: "model.safetensors", content: new Blob([length, header, new Uint8Array(8)]) };
    await hf.uploadFile({ repo, file, ...own });
    const parsed = await hf.parseSafetensorsMetadata({ repo, computeParametersCount: true, ...own });
    assert.deepEqual([parsed.parameterCount, parsed.header.w.shape], [{ F32: 2 }, [2]]);
  },

  async "hides private repositories from other users"() {
    const hidden = { type: "model", name: "owner/hidden" };
    const files = [{ path: "a.txt", content: new TextEncoder().encode("a").buffer }];
    await hf.createRepo({ repo: hidden, private: true, files, ...own });
    assert.equal(await text("a.txt", { repo: hidden }), "a");
    assert.equal(await hf.repoExists({ repo: hidden, ...own }), true);
    assert.equal(await hf.repoExists({ repo: hidden, hubUrl }), false);
    await assert.rejects(hf.modelInfo({ name: "owner/hidden", hubUrl }), (error) => error.statusCode === 401);
  },

  async "deletes repositories"() {
    for (const type of ["model", "dataset", "space"]) {
      await hf.deleteRepo({ repo: { type, name: `owner/${type}` }, ...own });
      assert.equal(await hf.repoExists({ repo: { type, name: `owner/${type}` }, ...own }), false);
    }
  },
};

// The client logs each downloaded file.
console.info = console.debug = () => {};
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
  } catch (error) {
    failed += 1;
    console.error(`FAILED ${name}:`, error);
  }
}
server.stdin.end();
rmSync(WORK, { recursive: true, force: true });
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
