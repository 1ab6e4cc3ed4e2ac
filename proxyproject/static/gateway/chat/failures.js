// What a person is told of what went wrong: what happened, whether anything was lost, what to do, and its number.

import { isShort, needed, told as toldQuota } from "./quota.js";

const OWN_WORDS = new Set(["UNAUTHORIZED", "CONNECTION", "TOO_LONG", "SERVER_STOPPING", "INTERNAL_ERROR"]);

// Parameters: failure, {code, message?, details?, retry_after?, request_id?}; content, what came of the answer.
export function explained(failure, content, words) {
  const known = words.failures[failure.code] ?? words.failures.INTERNAL_ERROR;
  const sentences = [];
  if (failure.code === "QUOTA_EXCEEDED" && failure.details && isShort(failure.details)) {
    sentences.push(`${toldQuota(failure.details, words)}.`, needed(failure.details, words));
  } else if (failure.message && !OWN_WORDS.has(failure.code)) sentences.push(failure.message);
  sentences.push(content ? words.partKept : words.nothingLost);
  if (failure.retry_after && failure.code !== "QUOTA_EXCEEDED") {
    sentences.push(words.waitSeconds.replace("{seconds}", failure.retry_after));
  } else if (known.advice) sentences.push(known.advice);
  return {
    title: known.title,
    text: sentences.filter(Boolean).join(" "),
    requestId: failure.request_id,
    mayRetry: failure.code !== "UNAUTHORIZED" && failure.code !== "TOO_LONG",
    signIn: failure.code === "UNAUTHORIZED",
    usage: failure.code === "QUOTA_EXCEEDED",
  };
}
