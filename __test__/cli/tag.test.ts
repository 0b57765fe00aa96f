import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import ava from 'ava'
import { SequenceTagger, readConllu } from 'inlay'
import { allRefused, folder, goesOnAfter, inlay, start } from './inlay.js'

// One process at a time: dozens at once would only wait for each other.
const test = ava.serial

/** Sentences in the form of a treebank: each word with its tags of all languages and of one. */
const conllu = (sentences: readonly string[]) =>
  sentences
    .map((sentence) =>
      sentence
        .split(' ')
        .map((token, i) => {
          const [word, upos = '_', xpos = '_'] = token.split('/')
          return `${i + 1}\t${word}\t_\t${upos}\t${xpos}\t_\t_\t_\t_\t_\n`
        })
        .join(''),
    )
    .join('\n')
const sentences = [
  'she/PRON/PRP reads/VERB/VBZ books/NOUN/NNS',
  'he/PRON/PRP wrote/VERB/VBD letters/NOUN/NNS',
  'she/PRON/PRP sees/VERB/VBZ ships/NOUN/NNS',
]
const treebank = conllu(Array.from({ length: 60 }, (_, i) => sentences[i % 3]!))
const fast = '--epochs 8 --units 16 --dimensions 8 --learning-rate 0.02 --threads 1'

test('tags are learnt from a treebank, found in lines and in CoNLL-U, and compared', async (t) => {
  const inside = folder(t, {
    'train.conllu.gz': gzipSync(treebank),
    'held.conllu': conllu(sentences),
    'new.conllu': conllu(['he reads letters', 'she wrote books']),
  })
  const trained = await inlay(
    inside,
    `tag train train.conllu.gz -o m.safetensors --validation held.conllu ${fast}`,
  )
  t.is(trained.code, 0, trained.stderr)
  t.is(trained.stdout, '')
  t.regex(trained.stderr, /\n3 tags; a loss of .* in epoch \d of 8, .* on held\.conllu; m\.safet/)

  const said = await inlay(inside, 'tag predict m.safetensors new.conllu')
  const [first, second] = [
    'he\tPRON\nreads\tVERB\nletters\tNOUN\n',
    'she\tPRON\nwrote\tVERB\nbooks\tNOUN\n',
  ]
  t.deepEqual(said, { code: 0, signal: null, stdout: `${first}\n${second}\n`, stderr: '' })

  const { child, ended } = start(inside, 'tag predict m.safetensors', 'pipe')
  child.stdin!.end('he reads  letters\n\nshe wrote books')
  t.is((await ended).stdout, `${first}\n\n${second}\n`)

  const lines = start(inside, 'tag predict m.safetensors --format conllu --json', 'pipe')
  lines.child.stdin!.end(conllu(['he reads letters']))
  t.deepEqual(JSON.parse((await lines.ended).stdout), {
    words: ['he', 'reads', 'letters'],
    tags: ['PRON', 'VERB', 'NOUN'],
  })

  const found = await inlay(inside, 'tag evaluate m.safetensors held.conllu -q')
  t.regex(found.stdout, /^words\t9\naccuracy\t1\.0000\nmacro F1\t1\.0000\nlabel\twords\t/)
  using tagger = await SequenceTagger.open(join(inside, 'm.safetensors'))
  const json = await inlay(inside, 'tag evaluate m.safetensors held.conllu -q --json')
  const wanted = await tagger.evaluate(readConllu(join(inside, 'held.conllu')))
  t.deepEqual(JSON.parse(json.stdout), JSON.parse(JSON.stringify(wanted)))
})

test('the other column, and vectors of words that stay as they are', async (t) => {
  const inside = folder(t, {
    'train.conllu': treebank,
    'text.txt': 'she reads books\nhe wrote letters\n'.repeat(5),
  })
  await inlay(inside, 'word2vec train text.txt -o v.bin --dimensions 4 -q')
  const trained = await inlay(
    inside,
    `tag train train.conllu -o m.safetensors --column xpos --known-vectors v.bin ${fast} -q`,
  )
  t.deepEqual(trained, { code: 0, signal: null, stdout: '', stderr: '' })
  using tagger = await SequenceTagger.open(join(inside, 'm.safetensors'))
  t.deepEqual(tagger.tags, ['PRP', 'VBZ', 'NNS', 'VBD'])
  t.deepEqual(tagger.network.parameter('known.weight')!.shape, [7, 4])
  const other = await inlay(inside, 'tag evaluate m.safetensors train.conllu -q')
  t.is(other.code, 1)
  t.regex(other.stderr, /^inlay: the tags must be of the labels of the examples, got "PRON"\n$/)
  const same = await inlay(inside, 'tag evaluate m.safetensors train.conllu -q --column xpos')
  t.is(same.code, 0, same.stderr)
})

test('Ctrl-C leaves a checkpoint and ends with 130; the command goes on from it', async (t) => {
  const inside = folder(t, { 'train.conllu': treebank })
  const command = `tag train train.conllu -o m.safetensors ${fast} --epochs 200`
  await goesOnAfter(t, ['SIGINT', 130], inside, command)
  t.true(existsSync(join(inside, 'm.safetensors')))
})

test('wrong use is exit code 2, wrong data 1, both in one line', async (t) => {
  const inside = folder(t, {
    'train.conllu': treebank,
    'untagged.conllu': conllu(['he reads letters']),
    'text.txt': 'he reads letters\n',
    'm.safetensors': 'no model',
  })
  await allRefused(t, inside, 'tag', [
    ['train train.conllu', 2, /-o MODEL is missing/],
    ['train train.conllu -o train.conllu', 2, /overwrite train\.conllu/],
    ['train train.conllu -o x.safetensors --column deprel', 2, /--column must be 'upos' or 'xpos'/],
    ['train train.conllu -o x.safetensors --tag xpos', 2, /there is no flag --tag/],
    ['predict', 2, /too little/],
    ['train text.txt -o x.safetensors -q', 1, /text\.txt: line 1 must have 10 columns/],
    ['train untagged.conllu -o x.safetensors -q', 1, /the word "he" has no tag in UPOS/],
    ['train missing.conllu -o x.safetensors -q', 1, /missing\.conllu/],
    ['predict m.safetensors text.txt', 1, /m\.safetensors/],
    ['evaluate m.safetensors train.conllu -q', 1, /m\.safetensors/],
  ])
  t.false(existsSync(join(inside, 'x.safetensors')))
})
