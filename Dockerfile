# A Turnkeeper worker. An image of your own with your tools:
#   FROM turnkeeper-worker:0.1.0
#   COPY tools.js /app/
#   ENV TURNKEEPER_TOOLS=/app/tools.js
FROM node:24.19.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit

FROM dependencies AS build
RUN npm ci --no-audit
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:24.19.0-bookworm-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
COPY docker/sandbox/supervisor.py docker/sandbox/
ENV NODE_ENV=production TURNKEEPER_METRICS_PORT=9464
USER node
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "const port = process.env.TURNKEEPER_METRICS_PORT; if (port > 0) fetch(`http://127.0.0.1:${port}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/worker.js"]
