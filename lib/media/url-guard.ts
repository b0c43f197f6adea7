import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { SensoriumError } from '../errors.js';
import type { MediaPolicy } from './types.js';

const MAX_URL_LENGTH = 16 * 1024;
/** Characters two URL parsers may disagree about: they are refused, not normalised. */
// eslint-disable-next-line no-control-regex
const AMBIGUOUS_CHARACTERS = /[\u0000-\u001f\u007f\\]/;
/** The block that holds all public IPv6 unicast addresses. */
const GLOBAL_UNICAST_V6 = ipaddr.IPv6.parseCIDR('2000::/3');

export type MediaUrl = { kind: 'data'; text: string } | { kind: 'http' | 'file'; url: URL };

export function isDataUrl(text: string): boolean {
  return text.slice(0, 5).toLowerCase() === 'data:';
}

function parseUrl(text: string, base?: URL): URL {
  if (text.length > MAX_URL_LENGTH) throw new SensoriumError('invalid_url', 'The URL is too long.');
  if (AMBIGUOUS_CHARACTERS.test(text)) {
    throw new SensoriumError('invalid_url', 'The URL has a control character or a backslash in it.');
  }
  try {
    return new URL(text, base);
  } catch (error) {
    throw new SensoriumError('invalid_url', 'The URL must be an http, https, data or file URL.', {
      cause: error,
    });
  }
}

function checkHttpForm(url: URL): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new SensoriumError('url_scheme_refused', 'Only http, https, data and file URLs are accepted.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new SensoriumError('invalid_url', 'The URL must not carry a user name or a password.');
  }
}

/** Splits a media URL by kind, by the WHATWG parser that the HTTP client uses too. */
export function parseMediaUrl(text: string): MediaUrl {
  if (isDataUrl(text)) return { kind: 'data', text };
  const url = parseUrl(text);
  if (url.protocol === 'file:') return { kind: 'file', url };
  checkHttpForm(url);
  return { kind: 'http', url };
}

/** The target of a redirect, held to the same form as the first URL. */
export function parseRedirect(location: string, from: URL): URL {
  const url = parseUrl(location, from);
  checkHttpForm(url);
  return url;
}

/** Whether an IP address literal is a public unicast address. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0 || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(GLOBAL_UNICAST_V6);
}

function addressRefused(): SensoriumError {
  return new SensoriumError(
    'media_address_refused',
    'The media URL points to an address that is not public; --allow-private-media-addresses permits it.',
  );
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;
/** `dns.lookup` with `all: true`. */
export type ResolveHost = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Hosts as an operator lists them: exact names, and `*.name` for all below a name. */
class DomainList {
  private readonly hosts = new Set<string>();
  private readonly suffixes: string[] = [];

  /** Throws `invalid_option` for what is no host: a URL, a port, a path, a star elsewhere. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      if (entry.startsWith('*.')) this.suffixes.push(`.${hostOf(entry.slice(2), entry)}`);
      else this.hosts.add(hostOf(entry, entry));
    }
  }

  /** An empty list names every host. */
  has(host: string): boolean {
    if (this.hosts.size === 0 && this.suffixes.length === 0) return true;
    return this.hosts.has(host) || this.suffixes.some((suffix) => host.endsWith(suffix));
  }
}

/** The host of a listed name, as the URL parser writes it. */
function hostOf(name: string, entry: string): string {
  const url = URL.canParse(`http://${name}/`) ? new URL(`http://${name}/`) : undefined;
  const isHost = url !== undefined && url.hostname !== '' && url.href === `http://${url.hostname}/`;
  // Ports, user names and stars would be lost or never match.
  if (isHost && !/[*@]|:\d*$/.test(name.replace(/^\[.*\]$/, ''))) return normaliseHost(url.hostname);
  const message = `The allowed media domain '${entry.slice(0, 256)}' must be a host such as a.example or *.a.example.`;
  throw new SensoriumError('invalid_option', message, { param: 'allowedMediaDomains' });
}

/** Decides which hosts and addresses media may be fetched from. */
export class UrlGuard {
  private readonly domains: DomainList;

  constructor(
    private readonly policy: Pick<MediaPolicy, 'allowPrivateMediaAddresses' | 'allowedMediaDomains'>,
    private readonly resolveHost: ResolveHost = dnsLookup,
  ) {
    this.domains = new DomainList(policy.allowedMediaDomains);
  }

  /** Checks the domain list, and what no name lookup is needed for: literal addresses and the names of this machine. */
  check(url: URL): void {
    const host = normaliseHost(url.hostname);
    if (!this.domains.has(host)) {
      throw new SensoriumError('media_domain_refused', 'The media URL is not on an allowed domain.');
    }
    const literal = host.startsWith('[') ? host.slice(1, -1) : host;
    const isRefused = isIP(literal) === 0 ? isLocalName(host) : !isPublicAddress(literal);
    if (isRefused && !this.policy.allowPrivateMediaAddresses) throw addressRefused();
  }

  /** The connector's name lookup: the addresses it answers are the ones dialled, so nothing can change in between. */
  readonly lookup = (hostname: string, options: LookupOptions, callback: LookupCallback): void => {
    this.resolveHost(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const allowed = addresses.filter(({ address }) => this.isAllowed(address));
      const first = allowed[0];
      if (first === undefined) return callback(addressRefused(), []);
      if (options.all) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };

  private isAllowed(address: string): boolean {
    return this.policy.allowPrivateMediaAddresses || isPublicAddress(address);
  }
}

/** Names that mean this machine everywhere (RFC 6761), whatever a resolver says. */
function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

function normaliseHost(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host;
}
