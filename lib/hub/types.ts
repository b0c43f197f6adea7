export interface HubOptions {
  /** Branch, tag or commit. Default `main`. */
  revision?: string | undefined;
  /** Uses only what the cache holds. Default: `HF_HUB_OFFLINE`. */
  isOffline?: boolean | undefined;
  /** Default: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`. */
  cacheFolder?: string | undefined;
  /** For private and gated repositories. Default: `HF_TOKEN`, else the file `HF_HOME/token`. */
  token?: string | undefined;
  /** Default: `HF_ENDPOINT`, else the public Hub. */
  endpoint?: string | undefined;
  /** Longest silence of a server before a transfer is tried again. Default 30 s. */
  stallTimeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** How far all files of one checkpoint are together; what was in the cache already counts as done. */
export interface DownloadProgress {
  doneBytes: number;
  totalBytes: number;
}

/** One file of a repository at one commit. */
export interface RemoteFile {
  path: string;
  sizeBytes: number;
  /** Name of the file's content: SHA-256 of the bytes, or git's SHA-1 of a blob. */
  hash: { algorithm: 'sha256' | 'git-sha1'; hex: string };
}
