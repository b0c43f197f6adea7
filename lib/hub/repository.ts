import { SensoriumError } from '../errors.js';

/** `owner/name` as the Hub allows it: letters, digits, `-`, `_` and `.`, at most 96 each. */
const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
const REVISION = /^[\w.][\w./-]{0,199}$/;

/** Whether `model` may name a repository of the Hub, rather than a folder. */
export function isRepositoryName(model: string): boolean {
  return REPOSITORY.test(model) && !model.includes('--') && !model.includes('..');
}

/** Throws `invalid_option` for a revision that could name something outside the cache. */
export function checkRevision(revision: string): void {
  const isSafe =
    REVISION.test(revision) && !revision.split('/').some((part) => /^\.+$/.test(part) || part === '');
  if (isSafe) return;
  throw new SensoriumError(
    'invalid_option',
    `'${revision.slice(0, 100)}' is no name of a branch, tag or commit.`,
    {
      param: 'revision',
    },
  );
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);
