# syntax=docker/dockerfile:1
# One Troupe node without the embedded PostgreSQL. See README.md, "Operating it".
# The current LTS of Node; the tests run on Node 20 to 26.
ARG NODE_VERSION=26

FROM node:${NODE_VERSION}-slim AS build
WORKDIR /troupe
COPY package.json package-lock.json ./
# With the optional ones: compiler and bundler ship their binaries as such. Without scripts: the sources come later.
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY . .
# What `npm pack` packs is what the image contains; `prepack` builds it.
RUN npm pack && tar -xzf troupe-*.tgz

FROM node:${NODE_VERSION}-slim AS packages
WORKDIR /troupe
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --omit=dev --omit=optional --ignore-scripts

FROM node:${NODE_VERSION}-slim
ENV NODE_ENV=production
WORKDIR /troupe
COPY --from=packages /troupe/node_modules node_modules
COPY --from=build /troupe/package ./
USER node
EXPOSE 8080
# No shell stands between, so SIGTERM reaches the node; it commits what it has taken and leaves by
# itself within shutdown.timeoutMs. As process 1 it has handlers for the signals it is sent.
STOPSIGNAL SIGTERM
# Whether the process lives: what is unhealthy may be replaced, which helps neither a node that leaves nor a lost database.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["serve", "--config", "config/production.yaml"]
