import test from 'ava'
import { clock, duration, grouped, quantity } from '#inlay/cli/quantities.js'

for (const [value, shown] of [
  [0, '0 words'],
  [999, '999 words'],
  [999.6, '1.00 k words'],
  [1234, '1.23 k words'],
  [9996, '10.0 k words'],
  [99_960, '100 k words'],
  [999_400, '999 k words'],
  [999_600, '1.00 M words'],
  [17_899_234, '17.9 M words'],
  [2.5e9, '2.50 G words'],
] as const) {
  test(`${value} words are written ${shown}`, (t) => t.is(quantity(value, 'words'), shown))
}

test('limits have their thousands apart', (t) => {
  for (const value of [0, 7, 512, 4096, 65_536, 2_147_483_647, -1000]) {
    t.is(grouped(value), value.toLocaleString('en'))
  }
  t.is(grouped(0.99995), '0.99995')
})

test('bytes take their prefix', (t) => t.is(quantity(10_760_854, 'bytes'), '10.8 MB'))

for (const [seconds, shown] of [
  [0, '0:00'],
  [8.4, '0:08'],
  [59.6, '1:00'],
  [754, '12:34'],
  [3723, '1:02:03'],
] as const) {
  test(`a clock shows ${seconds} seconds as ${shown}`, (t) => t.is(clock(seconds), shown))
}

test('a short time has its fractions', (t) => {
  t.is(duration(0.42), '0.42 s')
  t.is(duration(12.34), '12.3 s')
  t.is(duration(75), '1:15')
})
