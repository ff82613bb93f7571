import type { AssistantDefinition } from '../assistant.ts';
import type { Page, PageRequest, RequestKey } from './pages.ts';

export interface Assistant {
  id: string;
  /** 1, 2, 3 …; the newest unless another was asked for. */
  version: number;
  definition: AssistantDefinition;
  createdAt: Date;
}

export interface AssistantStore {
  create(tenant: string, definition: AssistantDefinition, key?: RequestKey): Promise<Assistant>;
  /** Adds a version. */
  update(tenant: string, id: string, definition: AssistantDefinition): Promise<Assistant>;
  get(tenant: string, id: string, version?: number): Promise<Assistant>;
  list(tenant: string, page: PageRequest): Promise<Page<Assistant>>;
}
