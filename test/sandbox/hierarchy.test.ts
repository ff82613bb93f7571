import { describe, expect, it } from 'vitest';
import { hierarchiesOf } from '../../src/sandbox/bubblewrap/hierarchy.ts';

const V1_MOUNTS = `
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw`;

const V2_MOUNTS = '29 23 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw';

function v2(folder: string) {
  return { version: 2, memory: folder, pids: folder, cpu: folder };
}

describe('control groups are made', () => {
  it('in v1 under the groups that this process is in', () => {
    const memberships = '8:pids:/\n4:memory:/workers/one\n1:cpu,cpuacct:/shared\n0::/';
    expect(hierarchiesOf(memberships, V1_MOUNTS)).toEqual([
      {
        version: 1,
        memory: '/sys/fs/cgroup/memory/workers/one',
        pids: '/sys/fs/cgroup/pids',
        cpu: '/sys/fs/cgroup/cpu,cpuacct/shared',
      },
    ]);
  });

  it('in v1 where only a part of the hierarchy is mounted, as in a container', () => {
    const mounts = V1_MOUNTS.replaceAll(' / /sys/fs/cgroup/', ' /docker/abc /sys/fs/cgroup/');
    const memberships = '8:pids:/docker/abc\n4:memory:/docker/abc/in\n1:cpu,cpuacct:/docker/abc';
    expect(hierarchiesOf(memberships, mounts)).toMatchObject([
      { memory: '/sys/fs/cgroup/memory/in', pids: '/sys/fs/cgroup/pids' },
    ]);
  });

  it('in v2 under the group of this process, or beside it', () => {
    const own = '/sys/fs/cgroup/system.slice/turnkeeper.service';
    expect(hierarchiesOf('0::/system.slice/turnkeeper.service/worker', V2_MOUNTS)).toEqual([
      v2(`${own}/worker`),
      v2(own),
    ]);
  });

  it('in v2 never above what is mounted', () => {
    expect(hierarchiesOf('0::/', V2_MOUNTS)).toEqual([v2('/sys/fs/cgroup')]);
  });

  it('nowhere, when there are none or this process is outside of what is mounted', () => {
    expect(hierarchiesOf('0::/', '')).toEqual([]);
    expect(hierarchiesOf('', V2_MOUNTS)).toEqual([]);
    expect(hierarchiesOf('0::/../other', V2_MOUNTS)).toEqual([]);
  });
});
