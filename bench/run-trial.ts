// One trial in a process of its own: run-trial NAME, with the context as JSON on standard input; figures as JSON on standard output.
import { text } from 'node:stream/consumers';

import type { TrialContext } from './trial.js';
import { TRIALS } from './trials/index.js';

const trial = TRIALS.find(({ name }) => name === process.argv[2]);
if (trial === undefined) throw new Error(`there is no trial '${process.argv[2]}'`);
const context = JSON.parse(await text(process.stdin)) as TrialContext;
process.stdout.write(JSON.stringify(await trial.run(context)));
