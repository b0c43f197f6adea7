/** Thread beside a template process: ends it when its parent is gone, even while a template keeps it busy. */
const PERIOD_MS = 1000;
const parent = process.ppid;

setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, PERIOD_MS);
