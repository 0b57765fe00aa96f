// Models by name, from a hub that is a server of this test: it cuts connections, lies, sends elsewhere and is busy.
import { mkdir, readFile, readdir, readlink, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  type DownloadOptions,
  type Progress,
  SentenceEncoder,
  downloadModel,
  downloadOptions,
} from 'inlay'
import { filesIn } from '../fixtures/files-in.js'
import { folder } from '../fixtures/folder.js'
import {
  type TestHub,
  type Trouble,
  commit,
  contents,
  golden,
  hub,
  name,
  send,
  serve,
  sha256,
  sumOf,
  wanted,
} from '../fixtures/test-hub.js'
import { wrongValues } from '../fixtures/wrong-values.js'

const download = (t: ExecutionContext, { endpoint }: TestHub, options: DownloadOptions = {}) =>
  downloadModel(name, { endpoint, cache: folder(t), ...options })

test('the files that an encoder reads are brought, into the layout of huggingface_hub', async (t) => {
  const one = await hub(t)
  const cache = folder(t)
  const events: Progress[] = []
  const onProgress = (progress: Progress) => void events.push(progress)
  const path = await download(t, one, { cache, onProgress })
  t.deepEqual(await filesIn(path), wanted)
  const model = join(cache, 'models--some-one--small.bert')
  t.is(path, join(model, 'snapshots', commit))
  t.is(await readFile(join(model, 'refs', 'main'), 'utf8'), commit)
  const all = await contents()
  const sum = sha256(all['model.safetensors']!)
  t.deepEqual(await readFile(join(model, 'blobs', sum)), all['model.safetensors'])
  // Where links need a right that one may not have, it is a copy.
  const link = await readlink(join(path, 'model.safetensors')).catch(() => undefined)
  if (process.platform !== 'win32') t.is(link, join('..', '..', 'blobs', sum))
  t.deepEqual(
    await readdir(join(model, 'blobs')),
    wanted.map((file) => sumOf(file, all[file]!)).toSorted(),
  )
  const bytes = wanted.reduce((length, file) => length + all[file]!.length, 0)
  t.like(events.at(-1), { phase: 'download', done: bytes, total: bytes, unit: 'bytes' })
  using encoder = await SentenceEncoder.load(path)
  using local = await SentenceEncoder.load(golden)
  t.deepEqual((await encoder.encode(['a fox'])).values, (await local.encode(['a fox'])).values)
})

// What is said by the environment is said to all: such tests stand before the others.
test.serial(
  'what is there is not brought again, and with HF_HUB_OFFLINE nothing is asked for',
  async (t) => {
    const one = await hub(t)
    const cache = folder(t)
    const path = await download(t, one, { cache })
    const before = one.asked().length
    t.is(await download(t, one, { cache }), path)
    t.is(one.asked().length, before)
    t.is(await download(t, one, { cache, revision: commit }), path)
    const lists = one.requests.length
    process.env['HF_HUB_OFFLINE'] = '1'
    try {
      t.is(await download(t, one, { cache }), path)
      t.is(await download(t, one, { cache, revision: commit }), path)
      await t.throwsAsync(download(t, one, { cache, revision: 'v2' }), {
        code: 'NOT_FOUND',
        message: /has not been downloaded, and HF_HUB_OFFLINE is set/,
      })
    } finally {
      delete process.env['HF_HUB_OFFLINE']
    }
    t.is(one.requests.length, lists)
  },
)

test('files may be named, and a model without modules is read from its root', async (t) => {
  const all = await contents()
  const plain = { 'config.json': all['config.json']!, 'onnx/config.json': Buffer.from('{}') }
  const parts = {
    ...plain,
    'model-00001-of-00002.safetensors': Buffer.from('a'),
    'model-00002-of-00002.safetensors': Buffer.from('b'),
    'model.safetensors.index.json': Buffer.from('{}'),
  }
  t.deepEqual(await filesIn(await download(t, await hub(t, { files: parts }))), [
    'config.json',
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ])
  const files = ['onnx/model.onnx', 'README.md']
  const one = await hub(t)
  t.deepEqual(await filesIn(await download(t, one, { files })), ['README.md', 'onnx/model.onnx'])
  await t.throwsAsync(download(t, one, { files: ['none.json'] }), {
    code: 'NOT_FOUND',
    message: /has no file "none.json"/,
  })
})

test('a connection that breaks is gone on with where it broke', async (t) => {
  const ranges: (string | undefined)[] = []
  const trouble: Trouble = (file, request, response, bytes) => {
    if (file !== 'model.safetensors') return false
    ranges.push(request.headers.range)
    if (ranges.length > 2) return false
    const from = ranges.length === 1 ? 0 : 50_000
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': bytes.length - from,
      ...(from > 0 && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
    })
    response.write(bytes.subarray(from, from + 50_000), () =>
      setTimeout(() => response.destroy(), 20),
    )
    return true
  }
  const path = await download(t, await hub(t, { trouble }))
  t.deepEqual(ranges, [undefined, 'bytes=50000-', 'bytes=100000-'])
  t.deepEqual(
    await readFile(join(path, 'model.safetensors')),
    await readFile(join(golden, 'model.safetensors')),
  )
})

test('what an earlier process left is gone on with; if it is of other bytes, all is brought again', async (t) => {
  const bytes = await readFile(join(golden, 'model.safetensors'))
  for (const left of [
    bytes.subarray(0, 1000),
    Buffer.alloc(1000, 7),
    Buffer.alloc(bytes.length + 9),
  ]) {
    const one = await hub(t)
    const cache = folder(t)
    const blobs = join(cache, 'models--some-one--small.bert', 'blobs')
    await mkdir(blobs, { recursive: true })
    const partial = join(blobs, `${sha256(bytes)}.inlay.incomplete`)
    await writeFile(partial, left)
    // A process that is no more.
    await writeFile(`${partial}.lock`, '999999999')
    const path = await download(t, one, { cache })
    t.deepEqual(await readFile(join(path, 'model.safetensors')), bytes)
    const asked = one.requests.filter(({ url }) => url!.endsWith('model.safetensors'))
    t.is(asked[0]!.headers.range, left.length === 1000 ? 'bytes=1000-' : undefined)
    t.is(asked.length, left[0] === 7 ? 2 : 1)
    t.deepEqual(
      await readdir(blobs).then((all) => all.filter((file) => file.includes('incomplete'))),
      [],
    )
  }
})

test('another process that is bringing a file is left alone', async (t) => {
  const one = await hub(t)
  const cache = folder(t)
  const bytes = await readFile(join(golden, 'model.safetensors'))
  const blobs = join(cache, 'models--some-one--small.bert', 'blobs')
  await mkdir(blobs, { recursive: true })
  const partial = join(blobs, `${sha256(bytes)}.inlay.incomplete`)
  await writeFile(partial, 'its bytes')
  await writeFile(`${partial}.lock`, String(process.ppid))
  const path = await download(t, one, { cache })
  t.deepEqual(await readFile(join(path, 'model.safetensors')), bytes)
  t.is(await readFile(partial, 'utf8'), 'its bytes')
})

test('wrong bytes are refused, and leave nothing', async (t) => {
  const cases: [RegExp, (bytes: Buffer) => Buffer][] = [
    [/other bytes than its checksum/, (bytes) => Buffer.alloc(bytes.length, 1)],
    [/longer than the hub says/, (bytes) => Buffer.concat([bytes, bytes])],
  ]
  for (const file of ['config.json', 'model.safetensors']) {
    for (const [message, wrong] of cases) {
      const trouble: Trouble = (asked, request, response, bytes) => {
        if (asked !== file) return false
        send(request, response, asked, wrong(bytes))
        return true
      }
      const cache = folder(t)
      const run = download(t, await hub(t, { trouble }), { cache })
      await t.throwsAsync(run, { code: 'INVALID_INPUT', message })
      const left = await filesIn(cache)
      const sum = sumOf(file, (await contents())[file]!)
      t.false(left.some((path) => path.endsWith(sum) || path.endsWith(`${commit}/${file}`)))
      t.false(left.some((path) => path.includes('refs')))
    }
  }
})

test('a token goes to its hub, and to no host that the hub sends us to', async (t) => {
  const elsewhere: IncomingMessage[] = []
  const all = await contents()
  const other = await serve(t, (request, response) => {
    elsewhere.push(request)
    send(request, response, 'model.safetensors', all['model.safetensors']!)
  })
  const trouble: Trouble = (file, _request, response) => {
    if (file !== 'model.safetensors') return false
    response.writeHead(302, { location: `${other}/cdn?x=1` }).end()
    return true
  }
  const one = await hub(t, { trouble })
  const path = await download(t, one, { token: 'secret' })
  t.true(one.requests.every(({ headers }) => headers.authorization === 'Bearer secret'))
  t.is(elsewhere.length, 1)
  t.is(elsewhere[0]!.headers.authorization, undefined)
  t.false(JSON.stringify(elsewhere[0]!.rawHeaders).includes('secret'))
  t.true((await stat(join(path, 'model.safetensors'))).size > 100_000)
})

test('a token that no header takes is refused, and not told', async (t) => {
  const one = await hub(t)
  const failed = download(t, one, { token: 'secret\nsecond' })
  const error = await t.throwsAsync(failed, { code: 'INVALID_OPTION', message: /`token`/ })
  t.notRegex(error!.message, /secret/)
  t.is(one.requests.length, 0)
})

test.serial("the environment's token is Hugging Face's, and no mirror sees it", async (t) => {
  const one = await hub(t)
  const home = folder(t)
  Object.assign(process.env, { HF_TOKEN: 'secret', HF_ENDPOINT: `${one.endpoint}/`, HF_HOME: home })
  try {
    const path = await downloadModel(name)
    t.true(path.startsWith(join(home, 'hub')))
    process.env['HF_HUB_CACHE'] = join(home, 'other')
    t.true((await downloadModel(name)).startsWith(join(home, 'other')))
  } finally {
    for (const key of ['HF_TOKEN', 'HF_ENDPOINT', 'HF_HOME', 'HF_HUB_CACHE'])
      delete process.env[key]
  }
  t.true(one.requests.length > 2)
  t.false(one.requests.some(({ rawHeaders }) => JSON.stringify(rawHeaders).includes('secret')))
})

test('a hub that is busy is asked again when it says, one that refuses is not', async (t) => {
  let busy = 0
  const trouble: Trouble = (_file, _request, response) => {
    if (++busy > 3) return false
    const after = [{ 'retry-after': '0' }, { 'retry-after': new Date(0).toUTCString() }, {}][
      busy - 1
    ]
    response.writeHead(busy === 1 ? 429 : 503, after).end()
    return true
  }
  const one = await hub(t, { trouble })
  t.deepEqual(await filesIn(await download(t, one)), wanted)
  t.is(one.asked().length, wanted.length + 3)
  for (const [status, code, message] of [
    [401, 'IO', /is refused \(401\): .* needs a `token`/],
    [403, 'IO', /is refused \(403\)/],
    [404, 'NOT_FOUND', /answers 404/],
    [418, 'IO', /answers 418/],
  ] as const) {
    const refusing = await hub(t, {
      trouble: (_file, _request, response) => {
        response.writeHead(status).end()
        return true
      },
    })
    await t.throwsAsync(download(t, refusing), { code, message })
    t.is(refusing.asked().length, 1)
  }
  const patient = await hub(t, {
    trouble: (_file, _request, response) => {
      response.writeHead(503, { 'retry-after': '86400' }).end()
      return true
    },
  })
  await t.throwsAsync(download(t, patient), { code: 'IO', message: /the server answers 503/ })
  await t.throwsAsync(
    downloadModel('some-one/else', { endpoint: one.endpoint, cache: folder(t) }),
    {
      code: 'NOT_FOUND',
    },
  )
})

test('names from a server do not leave the folder, and nonsense is refused', async (t) => {
  const sibling = (fields: object) => ({
    list: (all: { siblings: object[]; sha: string }) => ({
      ...all,
      siblings: [...all.siblings, fields],
    }),
  })
  const outside = [
    '../../evil.json',
    '/etc/evil.json',
    'a/../../evil',
    '..\\evil.json',
    'C:evil',
    'a//b',
    '.',
  ]
  for (const rfilename of outside) {
    const run = download(t, await hub(t, sibling({ rfilename, size: 1, blobId: commit })))
    await t.throwsAsync(
      run,
      { code: 'INVALID_INPUT', message: /which is no file of a model/ },
      rfilename,
    )
  }
  for (const [list, message] of [
    [() => ({ sha: '../../x', siblings: [] }), /does not list a model/],
    [() => ({ sha: commit, siblings: 7 }), /does not list a model/],
    [() => null, /does not list a model/],
    [() => ({ sha: commit, siblings: [null] }), /which is no file/],
  ] as const) {
    await t.throwsAsync(download(t, await hub(t, { list })), { code: 'INVALID_INPUT', message })
  }
  const talking = await serve(t, (_request, response) => void response.end('<html>'))
  await t.throwsAsync(downloadModel(name, { endpoint: talking, cache: folder(t) }), {
    code: 'INVALID_INPUT',
    message: /does not answer with JSON/,
  })
  const file = await serve(t, (_request, response) => {
    response.writeHead(302, { location: 'file:///etc/passwd' }).end()
  })
  await t.throwsAsync(downloadModel(name, { endpoint: file, cache: folder(t) }), {
    code: 'INVALID_INPUT',
    message: /is sent on to file:/,
  })
})

test('a list without checksums is made up for by what the hub says of each file', async (t) => {
  const list = (all: { siblings: Record<string, unknown>[]; sha: string }) => ({
    sha: all.sha,
    siblings: all.siblings.map(({ rfilename }) => ({ rfilename })),
  })
  const one = await hub(t, { list })
  t.deepEqual(await filesIn(await download(t, one)), wanted)
  t.true(one.requests.some(({ method }) => method === 'HEAD'))
  const silent: Trouble = (_file, _request, response, bytes) => {
    response.end(bytes)
    return true
  }
  await t.throwsAsync(download(t, await hub(t, { list, trouble: silent })), {
    code: 'INVALID_INPUT',
    message: /comes without a checksum and a size/,
  })
})

test('two downloads at once of one model bring each file once', async (t) => {
  const one = await hub(t)
  const cache = folder(t)
  const [first, second] = await Promise.all([
    download(t, one, { cache }),
    download(t, one, { cache }),
  ])
  t.is(first, second)
  t.deepEqual(one.asked().toSorted(), wanted)
  t.deepEqual(await filesIn(first), wanted)
})

test('a download stops when it is told to, and goes on the next time', async (t) => {
  const controller = new AbortController()
  const trouble: Trouble = (file, request, response, bytes) => {
    if (file !== 'model.safetensors' || request.headers.range) return false
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 60_000), () =>
      setTimeout(() => controller.abort(new Error('enough')), 50),
    )
    return true
  }
  const one = await hub(t, { trouble })
  const cache = folder(t)
  await t.throwsAsync(download(t, one, { cache, signal: controller.signal }), { message: 'enough' })
  const path = await download(t, one, { cache })
  t.is(one.requests.at(-1)!.headers.range ?? one.requests.at(-2)!.headers.range, 'bytes=60000-')
  t.deepEqual(await filesIn(path), wanted)
  await t.throwsAsync(
    download(t, one, {
      onProgress: () => {
        throw new Error('no more')
      },
    }),
    { message: 'no more' },
  )
})

test('options and names that are wrong are refused before anything is asked for', async (t) => {
  const one = await hub(t)
  for (const { option, value } of wrongValues(downloadOptions)) {
    if (option === 'endpoint' && typeof value === 'string' && value !== '') continue
    await t.throwsAsync(download(t, one, { [option]: value }), { code: 'INVALID_OPTION' })
  }
  for (const wrong of ['', '../x', 'a/b/c', 'a/..', '/a', 'a b', 'a--b', 7]) {
    const run = downloadModel(wrong as string, { endpoint: one.endpoint, cache: folder(t) })
    await t.throwsAsync(run, { code: 'INVALID_OPTION' }, String(wrong))
  }
  for (const options of [{ endpoint: 'ftp://x' }, { endpoint: 'x' }, { revision: '../x' }]) {
    await t.throwsAsync(download(t, one, options), { code: 'INVALID_OPTION' })
  }
  t.is(one.requests.length, 0)
  const nobody = new AbortController()
  const run = download(t, { ...one, endpoint: 'http://127.0.0.1:1' }, { signal: nobody.signal })
  setTimeout(() => nobody.abort(new Error('enough')), 100)
  await t.throwsAsync(run, { message: 'enough' })
})
