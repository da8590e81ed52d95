// Clients of Hocuspocus at two nodes of a cluster, with its real providers: stateless messages between them, and a role that
// changes at one node while the document is open at the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roleService, SERVICE_SECRET } from '../http/role-service.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestNode } from '../support/node.ts';
import { STOCK_PACKAGES, type StockProvider } from '../support/stock-providers.ts';
import { TOKEN_SECRET, tokenOf } from '../support/tokens.ts';
import { until } from '../support/until.ts';

const HOCUSPOCUS = STOCK_PACKAGES.filter(({ protocol }) => protocol === 'hocuspocus');

const saved = (...providers: StockProvider[]): Promise<void> =>
  until(() => providers.every(({ isSynced, isSaved }) => isSynced && isSaved === true));

test('providers of Hocuspocus at two nodes', async (file) => {
  const service = await roleService(file);
  const join = await testCluster(file, {
    drain: { timeoutMs: 1000 },
    auth: {
      mode: 'jwt',
      jwt: { secret: TOKEN_SECRET },
      callback: { url: service.url, secret: SERVICE_SECRET },
    },
  });
  const [one, two] = [await join('one'), await join('two')];

  await file.test(
    'HOC-5 a stateless message reaches the providers at every node, each once, in the order of its sender',
    async (t) => {
      const token = await tokenOf('ada');
      // The owners of some documents are at one node, and those of others at the other node.
      for (const doc of ['acme/a', 'acme/b', 'acme/c', 'acme/d']) {
        service.roles.set(`ada ${doc}`, 'editor');
        const start = ({ port }: TestNode): StockProvider[] =>
          HOCUSPOCUS.map((stock) => {
            const provider = stock.start({ port, doc, token });
            t.after(() => provider.destroy());
            return provider;
          });
        const [atOne, atTwo] = [start(one), start(two)];
        const all = [...atOne, ...atTwo];
        await saved(...all);
        const [ada] = atOne;
        const [bob] = atTwo;
        assert.ok(ada && bob);
        for (const text of ['1', '2', '3']) ada.sendStateless(text);
        await until(() => all.every((each) => each === ada || each.stateless.length >= 3));
        // Everything before it has come when the last one has.
        bob.sendStateless('back');
        await until(() => all.every((each) => each === bob || each.stateless.at(-1) === 'back'));
        assert.deepEqual(ada.stateless, ['back']);
        assert.deepEqual(bob.stateless, ['1', '2', '3']);
        for (const each of all)
          if (each !== ada && each !== bob) assert.deepEqual(each.stateless, ['1', '2', '3', 'back']);
      }
    },
  );

  await file.test(
    'HOC-3 AUTH-10 a provider is told of its role when it changes at another node',
    async (t) => {
      const recheck = async (): Promise<void> => {
        const answer = await fetch(new URL('/v1/recheck', one.url), {
          method: 'POST',
          headers: {
            authorization: `Bearer ${await tokenOf('root', {}, { admin: true })}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ org: 'acme' }),
        });
        assert.ok(answer.ok, await answer.text());
      };
      for (const [at, stock] of HOCUSPOCUS.entries()) {
        const doc = `acme/doc-${at}`;
        const start = async (sub: string): Promise<StockProvider> => {
          service.roles.set(`${sub} ${doc}`, 'editor');
          const provider = stock.start({ port: two.port, doc, token: await tokenOf(sub) });
          t.after(() => provider.destroy());
          await saved(provider);
          return provider;
        };
        const [ada, bob] = [await start('ada'), await start('bob')];
        ada.insert(0, 'a');
        await saved(ada);
        assert.equal(ada.isReadOnly, false);

        service.roles.set(`ada ${doc}`, 'viewer');
        await recheck();
        await until(() => ada.isReadOnly === true);
        ada.insert(1, ' lost');
        bob.insert(0, 'b');
        await saved(bob);
        await until(() => ada.text() === 'ba lost');
        assert.equal(bob.text(), 'ba');
        assert.equal(ada.isSaved, false);

        service.roles.set(`ada ${doc}`, 'editor');
        await recheck();
        await until(() => ada.isReadOnly === false);
        assert.deepEqual([ada.refusals, ada.connects], [[], 1], stock.name);
        assert.equal(bob.isReadOnly, false);
      }
    },
  );
});
