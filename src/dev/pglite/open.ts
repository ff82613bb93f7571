import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';

/** The status with which PGlite leaves WebAssembly for an error of a statement. */
const STATEMENT_ERROR = 100;

/** Opens the database in this folder; null keeps it in memory. */
export async function openPglite(dataDir: string | null): Promise<PGlite> {
  const db = new BreakingPglite({ ...(dataDir !== null && { dataDir }), extensions: { vector } });
  await db.watch();
  return db;
}

/**
 * PGlite goes on when WebAssembly itself fails, such as for want of stack under a value that is nested too deeply: it answers
 * as if a statement had run that was lost, or begins the same one again for good. Here that ends the request and all later ones.
 */
class BreakingPglite extends PGlite {
  /** Once it is ready. */
  async watch(): Promise<void> {
    await this.waitReady;
    const wasm = this.mod;
    if (!wasm) throw new Error('PGlite has no module once it is ready.');
    const proceed = wasm._PostgresMainLoopOnce;
    wasm._PostgresMainLoopOnce = () => {
      try {
        proceed();
      } catch (error) {
        if (!isStatementError(error)) Object.assign(wasm, brokenBy(error));
        throw error;
      }
    };
  }
}

function isStatementError(error: unknown): boolean {
  return (error as { status?: unknown } | null)?.status === STATEMENT_ERROR;
}

/** What PGlite calls outside of where it ignores what is thrown. */
function brokenBy(cause: unknown) {
  const fail = (): never => {
    throw new Error(`PGlite broke down: ${String(cause)}.`, { cause });
  };
  return {
    _PostgresMainLoopOnce: fail,
    stackRestore: fail,
    _PostgresSendReadyForQueryIfNecessary: fail,
  };
}
