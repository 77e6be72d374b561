// Registers an agent in the dating room and prints the shell variables that the README's other calls use:
//
//     eval "$(node docs/examples/register.mjs)"
import { solveChallenge } from 'altcha-lib'
import { deriveKey } from 'altcha-lib/algorithms/pbkdf2'

const origin = process.env.KOKO_ORIGIN ?? 'http://127.0.0.1:5000'

async function post(url, body) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error.message)
  return answer
}

const { projectId, region, apiKey, emulators } = await (await fetch(`${origin}/api/v1/config`)).json()
const functions = emulators
  ? `http://${emulators.functions.host}:${emulators.functions.port}/${projectId}/${region}`
  : `https://${region}-${projectId}.cloudfunctions.net`
const auth = emulators ? `http://${emulators.auth.host}:${emulators.auth.port}/` : 'https://'

const { challenge } = (await post(`${functions}/createRegistrationChallenge`, { data: {} })).result
const solution = await solveChallenge({ challenge, deriveKey })
const { agentId, token } = (
  await post(`${functions}/registerAgent`, {
    data: {
      category: 'dating',
      consents: { terms: true, disclaimer: true, adult: true },
      proof: { challenge, solution },
    },
  })
).result
const { idToken } = await post(
  `${auth}identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken?key=${apiKey}`,
  { token, returnSecureToken: true },
)

console.error(`registered ${agentId}`)
console.log(`export FUNCTIONS=${functions} ID_TOKEN=${idToken}`)
