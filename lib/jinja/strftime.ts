const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const padded = (number: number, width = 2): string => String(number).padStart(width, '0');
const dayOfYear = (date: Date): number =>
  Math.round(
    (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 0)) /
      86_400_000,
  );

/** Codes of C's strftime, in English whatever the machine speaks. */
const CODES: ReadonlyMap<string, (date: Date) => string> = new Map<string, (date: Date) => string>([
  ['Y', (date) => String(date.getFullYear())],
  ['y', (date) => padded(date.getFullYear() % 100)],
  ['m', (date) => padded(date.getMonth() + 1)],
  ['B', (date) => MONTHS[date.getMonth()] ?? ''],
  ['b', (date) => (MONTHS[date.getMonth()] ?? '').slice(0, 3)],
  ['d', (date) => padded(date.getDate())],
  ['e', (date) => String(date.getDate()).padStart(2)],
  ['j', (date) => padded(dayOfYear(date), 3)],
  ['A', (date) => WEEKDAYS[date.getDay()] ?? ''],
  ['a', (date) => (WEEKDAYS[date.getDay()] ?? '').slice(0, 3)],
  ['H', (date) => padded(date.getHours())],
  ['I', (date) => padded(date.getHours() % 12 || 12)],
  ['p', (date) => (date.getHours() < 12 ? 'AM' : 'PM')],
  ['M', (date) => padded(date.getMinutes())],
  ['S', (date) => padded(date.getSeconds())],
  ['%', () => '%'],
]);

/** A moment as Python's `strftime` writes it; codes without a meaning stay as they are. `-` before a code drops leading zeros. */
export function formatDate(date: Date, format: string): string {
  return format.replace(/%(-?)([a-zA-Z%])/g, (code, dash: string, letter: string) => {
    const text = CODES.get(letter)?.(date);
    if (text === undefined) return code;
    return dash === '' ? text : text.replace(/^[0 ]+(?=.)/, '');
  });
}

export const formatNow = (format: string): string => formatDate(new Date(), format);
