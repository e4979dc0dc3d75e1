// Stacks to look at: each is `contribution run` in a process of its own.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { troubledCapture } from "./troubled.mjs";

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

/// The ledger of the ordering incident; one with trouble, held by a brake; and one with nothing.
export async function startAll() {
  const directory = mkdtempSync(join(tmpdir(), "console-"));
  const troubled = join(directory, "troubled.jsonl"), empty = join(directory, "empty.jsonl");
  writeFileSync(troubled, troubledCapture());
  writeFileSync(empty, "");
  const [demo, trouble, nothing] = await Promise.all([start("--as-of", "2026-02-10"),
    start(join(CAPTURES, "flattened-regions.jsonl"), troubled, "--settle", "2", "--brake", "3", "--as-of", "2026-02-10"), start(empty)]);
  return { demo, trouble, nothing, stop: () => { [demo, trouble, nothing].forEach((stack) => stack.stop()); rmSync(directory, { recursive: true, force: true }); } };
}
