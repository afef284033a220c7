// The page: one WebSocket brings JSON of what has changed, and pictures as they are asked for.

const HISTORY_S = 60
const ANNOUNCE_MS = 3000 // a screen reader is told at most this often
const PICTURE_MS = 2000 // an older picture is dimmed
const GONE_MS = 10_000 // and then no longer shown
const LONGEST_RETRY_MS = 5000
const SILENT_MS = 12_000 // a connection that brings nothing for longer is dead: the node says something every 5 s
const QUIET_DB = -60
const UNCERTAIN = 'uncertain'
const LOST = 'connection lost'
const WORDS = { ok: '● ok', warn: '▲ warns', error: '✕ error', silent: '✕ silent' }
const SESSION_TITLES = { waiting_face: 'Hold an expression', locked: 'Locked', listening: 'Speak now', show_result: 'Result' }

const $ = (selector, within = document) => within.querySelector(selector)
const percent = share => `${Math.round(100 * share)} %`
const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

/** Makes an element; children are nodes or text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Sets text only when it differs, so that a selection survives; words in `backticks` become code. */
function say(element, text = '') {
  if (element.dataset.said === text) return
  element.dataset.said = text
  element.replaceChildren(...text.split('`').map((part, index) => (index % 2 ? make('code', {}, part) : part)))
}

const state = { about: { emotions: [] }, estimates: [], missing: {}, reasons: {}, session: null, game: null, hearing: null }
let chosen = null // the subject that the visitor picked
let history = [] // { at [ms], label, p }

// ---- Connection

let socket = null
let retry = 500
let awaits = false // a picture was asked for and has not come
let pictureAt = -Infinity
let heardAt = Infinity

function connect() {
  socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`)
  socket.binaryType = 'arraybuffer'
  heardAt = performance.now()
  socket.onopen = () => {
    retry = 500
    awaits = false
    show('connection', 'live', 'live')
    ask()
  }
  socket.onmessage = event => {
    heardAt = performance.now()
    if (typeof event.data === 'string') take(JSON.parse(event.data))
    else draw(event.data)
  }
  socket.onclose = lose
}

/** Lets go of a connection, and tries another; one to a robot without power would take a minute to close by itself. */
async function lose() {
  socket.onopen = socket.onmessage = socket.onclose = null
  socket.close()
  heardAt = Infinity
  show('connection', 'lost', LOST)
  document.body.classList.add('lost')
  take({
    estimates: [], hearing: null, session: null, game: null, reasons: { session: LOST, game: LOST },
    missing: { picture: LOST, face: LOST, voice: LOST, fused: LOST },
  })
  const answer = await fetch('/', { method: 'HEAD', cache: 'no-store', signal: AbortSignal.timeout(LONGEST_RETRY_MS) }).catch(() => null)
  if (answer?.status === 401) show('connection', 'lost', 'a token is needed: open the printed link again')
  setTimeout(connect, retry * (0.8 + 0.4 * Math.random()))
  retry = Math.min(retry * 2, LONGEST_RETRY_MS)
}

/** Asks for the next picture, unless nobody looks at this page. */
function ask() {
  if (awaits || document.hidden || socket.readyState !== WebSocket.OPEN) return
  awaits = true
  socket.send('picture')
}

function show(id, kind, text) {
  const element = document.getElementById(id)
  element.dataset.state = kind
  say($('span', element), text)
}

function take(parts) {
  Object.assign(state, parts)
  if (parts.about) begin(parts.about)
  if (parts.history) history = parts.history.map(([age, label, ...p]) => ({ at: performance.now() - 1000 * age, label, p }))
  if (parts.estimates || parts.missing) drawEstimate()
  if (parts.hearing !== undefined || parts.missing) drawHearing()
  if (parts.nodes) drawNodes(parts.nodes)
  if (parts.models || parts.ages) drawMachine()
  if (parts.session !== undefined || parts.reasons) drawSession()
  if (parts.game !== undefined || parts.reasons) drawGame()
  drawPrompt()
}

function begin({ emotions, namespace }) {
  say($('#namespace'), namespace === '/' ? '' : namespace)
  document.body.classList.remove('lost')
  $('#bars tbody').replaceChildren(...emotions.map(emotion => {
    const swatch = make('i')
    swatch.style.background = `var(--${emotion})`
    const tracks = make('div', { class: 'tracks', 'aria-hidden': 'true' }, ...['face', 'voice', 'fused'].map(name => make('i', { class: name })))
    return make('tr', { 'data-emotion': emotion }, make('th', { scope: 'row' }, swatch, emotion), make('td', {}, tracks, make('span', { class: 'unseen' })), make('td', {}))
  }))
}

// ---- Picture

const canvas = $('#picture')
const pencil = canvas.getContext('2d', { alpha: false })

async function draw(buffer) {
  const length = new DataView(buffer).getUint32(0)
  const { width, height, faces } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
  try {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(buffer, 4 + length)], { type: 'image/jpeg' }))
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height]
    pencil.drawImage(bitmap, 0, 0)
    bitmap.close()
    pictureAt = performance.now()
    drawBoxes(faces, width / height)
    drawMissingPicture()
  } finally {
    awaits = false
    ask()
  }
}

function drawBoxes(faces, ratio) {
  const frame = $('#frame').getBoundingClientRect()
  const scale = Math.min(frame.width / ratio, frame.height)
  const [width, height] = [scale * ratio, scale]
  const boxes = $('#boxes')
  Object.assign(boxes.style, { width: `${width}px`, height: `${height}px`, left: `${(frame.width - width) / 2}px`, top: `${(frame.height - height) / 2}px` })
  const speaker = state.hearing?.speaking ? state.estimates.find(estimate => estimate.is_speaker)?.id : null
  while (boxes.children.length > faces.length) boxes.lastChild.remove()
  while (boxes.children.length < faces.length) boxes.append(make('div', {}, make('span')))
  faces.forEach(({ box: [x, y, w, h], id, label, confidence }, index) => {
    const element = boxes.children[index]
    Object.assign(element.style, { left: percent4(x), top: percent4(y), width: percent4(w), height: percent4(h) })
    say(element.firstChild, `${label} ${percent(confidence)}`)
    const sticksOut = x * width + element.firstChild.offsetWidth > width
    element.className = `${id && id === speaker ? 'speaking' : ''} ${y * height < 34 ? 'below' : ''} ${sticksOut ? 'right' : ''}`
  })
  canvas.setAttribute('aria-label', `Picture of the camera, ${faces.length === 1 ? 'one face' : `${faces.length} faces`}`)
}

const percent4 = share => `${(100 * share).toFixed(2)}%`

/** Says why there is no picture; the last one stays, dimmed, while nobody knows why no newer one comes. */
function drawMissingPicture() {
  const age = performance.now() - pictureAt
  const reason = state.missing.picture ?? (pictureAt > 0 ? `no new picture for ${Math.round(age / 1000)} s` : 'waiting for the first picture…')
  const fresh = age < PICTURE_MS
  canvas.hidden = $('#boxes').hidden = !fresh && (Boolean(state.missing.picture) || age > GONE_MS)
  $('#frame').classList.toggle('stale', !fresh)
  $('#picture-missing').hidden = fresh
  if (!fresh) say($('#picture-missing'), reason)
}

// ---- Estimate

/** What a face of an emotion looks like: brow height inside and outside, eye, and mouth: width, curve, opening, flare. */
const FACES = {
  angry: [7, -3, 5.2, 15, -7, 0], fear: [-6, 1, 7.6, 13, -6, 6], happy: [-2, -2, 5.6, 21, 13, 5],
  neutral: [0, 0, 6, 15, 0, 0], sad: [-6, 4, 5.2, 15, -14, 0], surprise: [-8, -8, 8.2, 8, 0, 12],
}
let worn = null // what the face looks like now

function drawAvatar(p, label) {
  const emotions = state.about.emotions
  // Cubed, and the label's share tripled, so that the face is clear, and that of the label.
  const weights = p ? p.map((share, index) => (emotions[index] === label ? 3 : 1) * share ** 3) : emotions.map(name => Number(name === 'neutral'))
  const sum = weights.reduce((a, b) => a + b, 0) || 1
  const wanted = FACES.neutral.map((_, term) => emotions.reduce((total, name, index) => total + (weights[index] / sum) * FACES[name][term], 0))
  worn = (worn ?? wanted).map((value, term) => value + 0.35 * (wanted[term] - value))
  const [inside, outside, eye, width, curve, opening] = worn
  for (const [side, x, out] of [['left', 34, -1], ['right', 66, 1]]) {
    $(`#brow-${side}`).setAttribute('d', `M${x - out * 9} ${31 + inside}Q${x} ${28 + (inside + outside) / 2} ${x + out * 9} ${31 + outside}`)
    $(`#eye-${side}`).setAttribute('rx', 5)
    $(`#eye-${side}`).setAttribute('ry', eye)
  }
  const y = 70 - curve / 3
  $('#mouth').setAttribute('d', `M${50 - width} ${y}Q50 ${y + curve - opening} ${50 + width} ${y}Q50 ${y + curve + 1.6 * opening} ${50 - width} ${y}Z`)
}

let announced = ''
let announcedAt = -Infinity
let announceLater

function drawEstimate() {
  const { estimates, missing } = state
  const shown = estimates.find(({ id }) => id === chosen) ?? estimates[0]
  const emotions = state.about.emotions
  say($('#label'), shown?.label ?? '–')
  say($('#confidence'), !shown ? (missing.fused ?? missing.face ?? 'nobody seen, nobody heard') : shown.label === UNCERTAIN
    ? `best guess ${percent(shown.confidence)}` : `${percent(shown.confidence)} sure`)
  $('#hero').style.setProperty('--now', `var(--${emotions.includes(shown?.label) ? shown.label : 'neutral'})`)
  for (const row of $('#bars tbody').children) {
    const index = emotions.indexOf(row.dataset.emotion)
    const shares = ['face', 'voice', 'fused'].map(name => shown?.[name]?.[index])
    shares.forEach((share, place) => { $('.tracks', row).children[place].style.width = percent4(share ?? 0) })
    say($('.unseen', row), `face ${shares[0] == null ? 'unknown' : percent(shares[0])}, voice ${shares[1] == null ? 'unknown' : percent(shares[1])}`)
    say(row.lastChild, shares[2] == null ? '' : percent(shares[2]))
    row.classList.toggle('best', row.dataset.emotion === shown?.label)
  }
  ;['face', 'voice'].forEach((name, index) => {
    const weight = shown?.weights[index] ?? 0
    $(`#weights .${name}`).style.width = percent4(weight)
    say($(`#reasons .${name} b`), shown ? weight.toFixed(2) : '–')
    const reason = shown?.reasons[index]
    say($(`#reasons .${name} dd`), (weight === 0 && missing[name]) || reason || (shown ? 'clear' : missing[name] ?? '–'))
  })
  $('#speaker').hidden = estimates.length < 2
  say($('#speaker'), shown?.speaker ? `Whose voice: ${shown.speaker}` : 'Whose voice: nobody speaks')
  drawSubjects(estimates, shown)
  announce(shown)
}

function drawSubjects(estimates, shown) {
  const group = $('#subjects')
  const ids = estimates.map(({ id }) => id)
  const text = JSON.stringify(ids) // of nobody, and of a voice without a face: joined, both would be ''
  if (group.dataset.ids !== text) {
    group.dataset.ids = text
    group.replaceChildren(...ids.map(id => {
      const button = make('button', { type: 'button', 'data-id': id }, id || 'voice only')
      button.onclick = () => { chosen = id; drawEstimate() }
      return button
    }))
  }
  for (const button of group.children) button.setAttribute('aria-pressed', button.dataset.id === shown?.id)
}

function announce(shown) {
  const label = shown?.label ?? 'nobody'
  clearTimeout(announceLater)
  if (label === announced) return
  const wait = announcedAt + ANNOUNCE_MS - performance.now()
  if (wait > 0) {
    announceLater = setTimeout(announce, wait, shown) // it may stay as it is, and so not be drawn again
    return
  }
  ;[announced, announcedAt] = [label, performance.now()]
  $('#announcement').textContent = shown ? `${label}, ${percent(shown.confidence)}` : $('#confidence').textContent
}

// ---- Time line

/** Adds the present estimate, four times a second; one that stays as it is comes only once. */
function remember() {
  const now = performance.now()
  const estimate = socket.readyState === WebSocket.OPEN ? state.estimates[0] : null
  if (estimate) history.push({ at: now, label: state.about.emotions.indexOf(estimate.label), p: estimate.fused ?? [0, 0, 0, 0, 0, 0] })
  history = history.filter(({ at }) => now - at < 1000 * (HISTORY_S + 2))
}

const paper = $('#history')

function drawHistory() {
  const { emotions } = state.about
  const box = paper.getBoundingClientRect()
  if (!box.width || !emotions.length) return
  const ratio = devicePixelRatio || 1
  const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)]
  if (paper.width !== width || paper.height !== height) [paper.width, paper.height] = [width, height]
  const pen = paper.getContext('2d')
  const strip = 26 * ratio
  const area = height - strip - 4 * ratio
  pen.fillStyle = color('sunken')
  pen.fillRect(0, 0, width, height)
  const now = performance.now()
  const x = at => width * (1 - (now - at) / (1000 * HISTORY_S))
  for (const run of split(history, (a, b) => b.at - a.at < 1500)) {
    let floor = run.map(() => 0)
    emotions.forEach((emotion, index) => {
      const top = run.map(({ p }, place) => floor[place] + p[index])
      pen.beginPath()
      run.forEach(({ at }, place) => pen.lineTo(x(at), area * (1 - floor[place])))
      for (let place = run.length - 1; place >= 0; place--) pen.lineTo(x(run[place].at), area * (1 - top[place]))
      pen.fillStyle = color(emotion)
      pen.fill()
      floor = top
    })
  }
  pen.font = `600 ${13 * ratio}px system-ui, sans-serif`
  pen.textBaseline = 'middle'
  const runs = split(history, (a, b) => a.label === b.label && b.at - a.at < 1500)
  runs.forEach((run, index) => {
    const next = runs[index + 1]?.[0].at
    const end = next !== undefined && next - run.at(-1).at < 1500 ? next : run.at(-1).at
    const [left, right] = [x(run[0].at), x(end)]
    const name = emotions[run[0].label] ?? UNCERTAIN
    pen.fillStyle = emotions[run[0].label] ? color(name) : color('line')
    pen.fillRect(left, area + 4 * ratio, Math.max(right - left - ratio, ratio), strip)
    pen.fillStyle = ['angry', 'sad'].includes(name) ? '#fff' : name === UNCERTAIN ? color('text') : '#10141a'
    if (pen.measureText(name).width + 12 * ratio < right - left) pen.fillText(name, Math.max(left, 0) + 6 * ratio, area + 4 * ratio + strip / 2)
  })
  describeHistory(emotions)
}

/** Cuts a list where two neighbours do not belong together. */
function split(points, together) {
  const runs = []
  points.forEach((point, index) => (index && together(points[index - 1], point) ? runs.at(-1).push(point) : runs.push([point])))
  return runs
}

function describeHistory(emotions) {
  const seconds = {}
  history.forEach(({ at, label }, index) => {
    const step = Math.min(((history[index + 1]?.at ?? at) - at) / 1000, 1.5)
    const name = emotions[label] ?? UNCERTAIN
    seconds[name] = (seconds[name] ?? 0) + step
  })
  const parts = Object.entries(seconds).filter(([, s]) => s >= 1).sort((a, b) => b[1] - a[1]).map(([name, s]) => `${name} ${Math.round(s)} s`)
  paper.setAttribute('aria-label', parts.length ? `Of the last minute: ${parts.join(', ')}` : 'No estimate in the last minute')
}

// ---- Microphone, nodes, models

function drawHearing() {
  const { hearing, missing } = state
  const place = level => `${Math.min(Math.max((100 * ((level ?? -200) - QUIET_DB)) / -QUIET_DB, 0), 100)}%`
  $('#hearing').classList.toggle('speaking', Boolean(hearing?.speaking))
  $('#level i').style.width = place(hearing?.level)
  $('#level b').style.left = place(hearing?.floor)
  $('#level').setAttribute('aria-valuenow', Math.max(hearing?.level ?? QUIET_DB, QUIET_DB))
  say($('#hearing-text'), hearing ? (hearing.speaking ? 'speaking' : 'listening') : missing.voice ?? 'no sound')
  drawMissingPicture()
}

function drawNodes(nodes) {
  const body = $('#nodes')
  if (!nodes.length) return
  const names = nodes.map(({ name }) => name).join()
  if (body.dataset.names !== names) {
    body.dataset.names = names
    body.replaceChildren(...nodes.map(({ name }) => make('tr', { 'data-node': name }, make('td', { class: 'state' }), make('th', { scope: 'row' }, name),
      make('td', { class: 'message' }), make('td', { class: 'number' }), make('td', { class: 'number latency' }))))
  }
  nodes.forEach((node, index) => {
    const row = body.children[index]
    row.className = node.state
    say(row.children[0], WORDS[node.state] ?? node.state)
    say(row.children[2], node.message)
    say(row.children[3], node.rate ? `${node.rate < 10 ? node.rate.toFixed(1) : Math.round(node.rate)} Hz` : '')
    row.children[3].title = node.rate_of ?? ''
    say(row.children[4], node.p50 == null ? '' : `${Math.round(node.p50)} / ${Math.round(node.p95)} ms`)
  })
  const bad = nodes.filter(({ state }) => state === 'error' || state === 'silent').length
  show('connection', bad ? 'lost' : 'live', bad ? `${bad} of ${nodes.length} nodes down` : `live, ${nodes.length} nodes`)
}

function drawMachine() {
  const { models = {}, ages = {} } = state
  const list = (element, rows) => {
    const text = JSON.stringify(rows)
    if (element.dataset.rows === text) return
    element.dataset.rows = text
    element.replaceChildren(...rows.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]))
  }
  list($('#models'), [['face', models.face], ['face detector', models.detector], ['voice', models.voice], ['fusion', models.fusion]].filter(([, value]) => value))
  $('#machine .missing').hidden = $('#models').children.length > 0
  list($('#ages'), [['face', 'frame taken → here'], ['voice', 'sound ended → here']].filter(([name]) => ages[`${name}_ms_p50`])
    .map(([name, what]) => [`${name}: ${what}`, `${Math.round(ages[`${name}_ms_p50`])} / ${Math.round(ages[`${name}_ms_p95`])} ms`]))
}

// ---- Session and game

const words = text => text.replaceAll('_', ' ')

const results = {} // what came of the last session and of the last game

/** Has a button do nothing; it keeps the focus, which one that is disabled for the browser would lose. */
const disable = (button, isDisabled) => button.setAttribute('aria-disabled', isDisabled)

/** Draws buttons and outcome; gives what goes on, or what came of the last one. */
function drawControls(name) {
  const card = document.getElementById(name)
  const reason = state.reasons[name] ?? ''
  const shown = state[name]
  const active = goesOn(name)
  disable($(`[data-do="${name} start"]`), Boolean(reason) || active)
  disable($(`[data-do="${name} abort"]`), !active)
  say($('.reason', card), reason || (active ? `a ${name} is under way` : ''))
  if (shown?.message) results[name] = shown
  else if (active) delete results[name]
  if (shown?.message || active) say($('.outcome', card), shown.message)
  return results[name] ?? (active ? shown : null)
}

const isActive = name => Boolean(state[name]?.active) && !state.reasons[name]

/** Whether there is something to abort; what came of it is shown for a while longer. */
const goesOn = name => isActive(name) && !state[name].message

function best(p) {
  if (!p) return ['–', 0]
  const index = p.indexOf(Math.max(...p))
  return [state.about.emotions[index], p[index]]
}

function drawSession() {
  const card = $('#session')
  const session = drawControls('session')
  say($('.prompt', card), (goesOn('session') && session.prompt) || 'Hold an expression until it locks, speak, and see both.')
  const reveals = Boolean(session?.face) && session.state !== 'waiting_face'
  $('.versus', card).hidden = !reveals
  $('.both', card).hidden = !session?.label
  if (!reveals) return
  say($('.both', card), `both: ${session.label} ${percent(session.confidence)}`)
  for (const name of ['face', 'voice']) {
    const [label, share] = best(session[name])
    say($(`.${name} .name`, card), label)
    say($(`.${name} .share`, card), session[name] ? percent(share) : name === 'voice' ? 'not heard' : '')
    $(`.${name} .track i`, card).style.width = percent4(share)
  }
}

function drawGame() {
  const card = $('#game')
  const game = drawControls('game')
  say($('.round', card), game?.round ? `round ${game.round} of ${game.rounds}` : '')
  say($('.prompt', card), (goesOn('game') && game.prompt) || 'Two players, one emotion: who shows it better?')
  const played = game?.round > 0
  $('.versus', card).hidden = !played
  $('.target', card).hidden = !played || game.state === 'gameover'
  if (!played) return
  say($('.target', card), `${game.target}${game.seconds_left >= 0 ? `  ${Math.ceil(game.seconds_left)}` : ''}`)
  ;['one', 'two'].forEach((side, index) => {
    const player = game.players[index]
    const box = $(`.${side}`, card)
    box.classList.toggle('absent', !player.present)
    say($('h4', box), `${player.name || `player ${index + 1}`}${player.present ? '' : ', not in the picture'}`)
    say($('.share', box), percent(player.score))
    $('.track i', box).style.width = percent4(player.now)
    $('.track b', box).style.left = `calc(${percent4(player.score)} - 3px)`
    say($('.won', box), '★'.repeat(player.rounds_won))
    $('.won', box).setAttribute('aria-label', `${player.rounds_won} rounds won`)
  })
}

/** On the picture, for those who stand in front of it. */
function drawPrompt() {
  const { session, game } = state
  const prompt = $('#prompt')
  const plays = isActive('game') && game
  const shown = plays || (isActive('session') && session)
  prompt.hidden = !shown
  if (!shown) return
  const isHeard = !plays && session.state === 'listening' && session.voice // whoever speaks is heard out
  const left = shown.seconds_left >= 0 && !isHeard ? `${Math.ceil(shown.seconds_left)} s` : ''
  const title = plays ? (game.target && game.state !== 'waiting' ? `${game.target}!` : words(game.state)) : SESSION_TITLES[session.state] ?? words(session.state)
  say($('strong', prompt), shown.prompt || title)
  say($('span', prompt), [shown.paused ? 'paused' : '', left].filter(Boolean).join(' · '))
  const ring = $('.ring', prompt)
  ring.style.display = !plays && session.state === 'waiting_face' ? '' : 'none'
  $('.done', ring).style.strokeDashoffset = 100 * (1 - (session?.progress ?? 0))
}

for (const button of document.querySelectorAll('[data-do]')) {
  button.onclick = async () => {
    if (button.getAttribute('aria-disabled') === 'true') return
    const [what, how] = button.dataset.do.split(' ')
    const outcome = $('.outcome', document.getElementById(what))
    disable(button, true)
    try {
      const answer = await fetch(`/do/${what}/${how}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })
      const text = answer.headers.get('Content-Type')?.startsWith('application/json') ? (await answer.json()).message : await answer.text()
      say(outcome, text)
    } catch {
      say(outcome, LOST)
    }
    setTimeout(() => drawControls(what), 1500) // by then the state has come
  }
}

// ---- Theme, big view, clock

function setTheme(theme) {
  document.documentElement.dataset.theme = theme
  say($('#theme span'), theme === 'dark' ? 'Light' : 'Dark')
  $('#theme').setAttribute('aria-label', `Switch to the ${theme === 'dark' ? 'light' : 'dark'} theme`)
}
setTheme(document.documentElement.dataset.theme)
$('#theme').onclick = () => {
  const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'
  try { localStorage.setItem('theme', theme) } catch { /* storage is switched off: it holds until the page is left */ }
  setTheme(theme)
}
$('#big').onclick = () => {
  const big = document.body.classList.toggle('big')
  $('#big').setAttribute('aria-pressed', big)
}
document.addEventListener('visibilitychange', ask)

setInterval(() => {
  if (performance.now() - heardAt > SILENT_MS) lose()
  remember()
  drawMissingPicture()
  if (!document.hidden) drawHistory()
}, 250)
setInterval(() => {
  const shown = state.estimates.find(({ id }) => id === chosen) ?? state.estimates[0]
  if (!document.hidden && state.about.emotions.length) drawAvatar(shown?.fused, shown?.label)
}, 50)
connect()
