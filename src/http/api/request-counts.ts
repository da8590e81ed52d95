// Counts the requests by route and class of status, for `/metrics`. A route is the pattern of the program, such as
// `GET /v1/docs/:org/:doc`, so there are as many series as the program has routes.
import type { FastifyInstance } from 'fastify';

export interface CountedRequests {
  readonly labels: { readonly route: string; readonly status: string };
  readonly value: number;
}

/** Paths that no route has. */
const NO_ROUTE = 'none';

export class RequestCounts {
  readonly #counts = new Map<string, Map<string, number>>();

  /** Counts every answer of `app` from now on. */
  watch(app: FastifyInstance): void {
    app.addHook('onResponse', async ({ method, routeOptions: { url } }, { statusCode }) => {
      const route = url === undefined ? NO_ROUTE : `${method} ${url}`;
      const ofRoute = this.#counts.get(route) ?? new Map<string, number>();
      const status = `${Math.floor(statusCode / 100)}xx`;
      this.#counts.set(route, ofRoute.set(status, (ofRoute.get(status) ?? 0) + 1));
    });
  }

  all(): readonly CountedRequests[] {
    return [...this.#counts].flatMap(([route, ofRoute]) =>
      [...ofRoute].map(([status, value]) => ({ labels: { route, status }, value })),
    );
  }
}
