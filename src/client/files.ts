import type { FileRecord, Page, PageRequest } from '../contracts/store.ts';
import { optional, shape, string } from './checks.ts';
import type { Parts } from './parts.ts';
import { knownForm, PAGE, reportingOutage } from './requests.ts';

export type ListFiles = PageRequest & { turnId?: string };

/** Files that tools made, such as `run_code`. Every method also rejects with `database_unreachable`. */
export interface Files {
  /** @throws TurnkeeperError `file_not_found` */
  get(id: string): Promise<FileRecord>;
  /**
   * Files, of one turn where asked for, oldest first unless asked otherwise.
   * @throws TurnkeeperError `turn_not_found`, `invalid_request`, `invalid_cursor`
   */
  list(filter?: ListFiles): Promise<Page<FileRecord>>;
  /**
   * The bytes of a file. Code made them: what serves them to a browser must not trust name and media type.
   * @throws TurnkeeperError `file_not_found`
   */
  read(id: string): Promise<Uint8Array>;
}

const checkList = shape({ ...PAGE, turnId: optional(string) });

export function createFiles({ store, tenant }: Pick<Parts, 'store' | 'tenant'>): Files {
  return {
    get: async (id) => {
      const fileId = knownForm(id, 'file_not_found');
      return await reportingOutage(() => store.files.get(tenant, fileId));
    },
    list: async (request = {}) => {
      checkList(request, '');
      const { turnId, ...page } = request;
      const filter = turnId === undefined ? {} : { turnId: knownForm(turnId, 'turn_not_found') };
      return await reportingOutage(() => store.files.list(tenant, filter, page));
    },
    read: async (id) => {
      const fileId = knownForm(id, 'file_not_found');
      return await reportingOutage(() => store.files.read(tenant, fileId));
    },
  };
}
