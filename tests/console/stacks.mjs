// Stacks to look at: each is `contribution run` in a process of its own.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { suspiciousCapture, troubledCapture } from "./troubled.mjs";

const ROOT = join(import.meta.dirname, "../..");
export const BINARY = process.env.CONTRIBUTION ?? join(ROOT, "target/debug/contribution");
const CAPTURES = join(ROOT, "events/captures");

export const tokenOf = (...grant) => execFileSync(BINARY, ["token", ...grant], { encoding: "utf8" }).trim();

/// Starts a stack and waits until it is up. Returns its address, and how to stop it.
async function start(...parameters) {
  const child = spawn(BINARY, ["run", "--port", "0", ...parameters], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LC_ALL: "C" } });
  let said = "";
  const up = new Promise((resolve, reject) => {
    const hear = (bytes) => {
      said += bytes;
      const address = /the API is at (http:\/\/\S+),/.exec(said)?.[1];
      if (address && said.includes("up; press")) resolve(address);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("exit", (code) => reject(new Error(`contribution ended with ${code}:\n${said}`)));
  });
  return { url: await up, stop: () => { child.removeAllListeners("exit"); child.kill("SIGINT"); } };
}

/// Sends an operator's command to a stack, and waits until it is carried out.
async function ask({ url }, command) {
  const headers = { "content-type": "application/json", authorization: "Bearer " + tokenOf("--operate"), "idempotency-key": "before-the-walk" };
  const body = JSON.stringify({ reason: "before the walk", command });
  for (let outcome = "PENDING"; outcome === "PENDING";) {
    const answer = await (await fetch(url + "/v1/commands", { method: "POST", headers, body })).json();
    outcome = answer.outcome ?? JSON.stringify(answer);
    if (!["PENDING", "DONE"].includes(outcome)) throw new Error(`${command.type} was not carried out: ${outcome}`);
  }
}

/// The ledger of the ordering incident; one with trouble, held by a brake; one whose close the guard stops; and one with
/// nothing.
export async function startAll() {
  const directory = mkdtempSync(join(tmpdir(), "console-"));
  const troubled = join(directory, "troubled.jsonl"), suspicious = join(directory, "suspicious.jsonl"), empty = join(directory, "empty.jsonl");
  writeFileSync(troubled, troubledCapture());
  writeFileSync(suspicious, suspiciousCapture());
  writeFileSync(empty, "");
  const [demo, trouble, guarded, nothing] = await Promise.all([start("--as-of", "2026-02-10"),
    start(join(CAPTURES, "flattened-regions.jsonl"), troubled, "--settle", "2", "--brake", "3", "--as-of", "2026-02-10"),
    start(join(CAPTURES, "flattened-regions.jsonl"), suspicious, "--guard", "10", "--as-of", "2026-01-31"), start(empty)]);
  await ask(guarded, { type: "close", until: "2026-02-10" });
  return { demo, trouble, guarded, nothing, stop: () => { [demo, trouble, guarded, nothing].forEach((stack) => stack.stop()); rmSync(directory, { recursive: true, force: true }); } };
}
