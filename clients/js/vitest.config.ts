import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const alias = {
  'belfry-client/dashboard/core': source('src/dashboard/core.ts'),
  'belfry-client/dashboard': source('src/dashboard/index.ts'),
  'belfry-client/reporter': source('src/reporter/index.ts'),
  'belfry-client/react': source('src/react/index.ts'),
  'belfry-client': source('src/index.ts'),
}

// Everything by itself, and the React parts with either version.
export default defineConfig({
  test: {
    restoreMocks: true,
    projects: [
      {
        resolve: { alias },
        test: { name: 'manager', include: ['test/*.test.ts'], environment: 'happy-dom' },
      },
      {
        resolve: { alias },
        test: { name: 'react 19', include: ['test/react/*.test.tsx'], environment: 'happy-dom' },
      },
      {
        resolve: {
          alias: {
            ...alias,
            'react-dom': source('test/react18/node_modules/react-dom'),
            react: source('test/react18/node_modules/react'),
          },
        },
        test: { name: 'react 18', include: ['test/react/*.test.tsx'], environment: 'happy-dom' },
      },
    ],
  },
})
