// The page of a finding and the overview, in headless Chromium. PAGE, OVERVIEW: their paths; CHROMIUM: the browser's.
// The finding is that of FAULT of tests/triage/triage.py: three operations, the last one failing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const directory = mkdtempSync(join(tmpdir(), "rescind-page-"));
const problems = [];
let browser, page;

before(async () => {
  browser = await chromium.launchPersistentContext(directory, {
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  page = browser.pages()[0] ?? (await browser.newPage());
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => { if (!request.url().startsWith("file:")) problems.push(request.url()); });
  await page.goto(pathToFileURL(process.env.PAGE).href);
});

after(async () => {
  await browser?.close();
  rmSync(directory, { recursive: true, force: true });
});

const position = () => page.locator("#position").textContent();
const visible = () => page.locator("#forest g").evaluateAll((groups) =>
  groups.filter((g) => /^[ne]\d+$/.test(g.id) && g.style.visibility === "visible").map((g) => g.textContent.trim()));

test("opens at the failing operation, with what is wrong marked", async () => {
  assert.equal(await position(), "step 3 of 3");
  assert.match(await page.locator("[aria-current]").textContent(), /^grant root/);
  const wrong = page.locator("#forest .wrong");
  assert.equal(await wrong.count(), 1);
  assert.match(await wrong.textContent(), /mem 0x1\s+frame 0x0 rwx/);
  assert.match(await page.locator("#report").textContent(), /expected: +frame 0x0, rights R-X/);
});

test("steps back and forth by buttons, and the pictures change", async () => {
  const last = await visible();
  const tables = await page.locator("#pds").innerHTML();
  await page.click("#previous");
  assert.equal(await position(), "step 2 of 3");
  assert.notDeepEqual(await visible(), last);
  assert.notEqual(await page.locator("#pds").innerHTML(), tables);
  await page.click("#next");
  assert.deepEqual(await visible(), last);
  assert.ok(await page.locator("#next").isDisabled());
});

test("works by keyboard alone", async () => {
  await page.keyboard.press("Home");
  assert.equal(await position(), "step 0 of 3");
  const boot = await visible();
  await page.keyboard.press("ArrowRight");
  assert.equal(await position(), "step 1 of 3");
  assert.ok((await visible()).length > boot.length);
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await position(), "step 2 of 3");
  await page.locator("#operations button").nth(2).focus();
  await page.keyboard.press("Enter");
  assert.equal(await position(), "step 2 of 3");
});

test("is reached from the overview by keyboard", async () => {
  await page.goto(pathToFileURL(process.env.OVERVIEW).href);
  assert.equal(await page.locator("svg").count(), 3);
  await page.keyboard.press("Tab");
  await Promise.all([page.waitForURL(/findings\/.*\/index\.html$/), page.keyboard.press("Enter")]);
  assert.equal(await position(), "step 3 of 3");
});

test("says nothing on the console, and asks no network", () => {
  assert.deepEqual(problems, []);
});
