// Plays checks, and tells what became of each in the words that `tests/interop/run` reads. Runs in node and in a browser.

// Each check is a name and a function that rejects when it fails.
export async function play(checks, { atATime = 1, timeout, tell = console.log }) {
  let [passed, failed] = [0, 0];
  const waiting = checks[Symbol.iterator]();
  async function work() {
    for (const [name, run] of waiting) {
      try {
        await within(timeout, run());
        passed += 1;
        await tell(`ok ${name}`);
      } catch (error) {
        failed += 1;
        await tell(`FAILED ${name}: ${error.message}`);
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: atATime }, work));
  } finally {
    await tell(`${passed} passed, ${failed} failed`);
  }
  return failed === 0;
}

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
