// Loaded into each process of the functions framework before anything else. Sends every request to Google to the stand-in
// instead, over plain HTTP with its address in a header, and refuses every other connection that leaves the machine. The
// server listens on a free port of the loopback address and sends it to the parent process, which may also ask for the
// most memory that the process has held.
import http from 'node:http'
import https from 'node:https'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'

type Request = typeof http.request

const standIn = new URL(process.env.GOOGLE_STAND_IN ?? '')
const plainRequest = http.request

redirect(http, 'http:')
redirect(https, 'https:')
guardSockets()
listenOnLoopback()
syncBuiltinESMExports()
process.on('disconnect', () => process.exit())
process.on('message', () => process.send?.(process.resourceUsage().maxRSS * 1_024))

function redirect(module: { request: Request; get: Request }, protocol: string): void {
  const original = module.request
  const request = (...args: Parameters<Request>) => {
    const options = optionsOf(args)
    const host = (options.hostname ?? options.host ?? 'localhost').replace(/:\d+$/, '')
    if (isLoopback(host)) return original(...args)
    const { method = 'GET', path = '/' } = options
    const headers = { ...(options.headers as http.OutgoingHttpHeaders), 'x-meant-for': `${protocol}//${host}` }
    const callback = args.find((arg) => typeof arg === 'function') as
      ((response: http.IncomingMessage) => void) | undefined
    return plainRequest({ hostname: standIn.hostname, port: standIn.port, method, path, headers }, callback)
  }
  module.request = request as Request
  module.get = ((...args: Parameters<Request>) => {
    const sent = request(...args)
    sent.end()
    return sent
  }) as Request
}

/** The options of any of the three forms that `http.request` takes. */
function optionsOf(args: readonly unknown[]): http.RequestOptions {
  return args.reduce<http.RequestOptions>((options, arg) => {
    if (typeof arg === 'function') return options
    if (typeof arg !== 'string' && !(arg instanceof URL)) return { ...options, ...(arg as http.RequestOptions) }
    const { hostname, port, pathname, search } = new URL(arg)
    return { ...options, hostname, port, path: `${pathname}${search}` }
  }, {})
}

/** Refuses and reports every connection that does not come from `http.request`. */
function guardSockets(): void {
  const sockets = net.Socket.prototype as { connect: (this: net.Socket, ...args: unknown[]) => net.Socket }
  const { connect } = sockets
  sockets.connect = function (...args) {
    const [options] = Array.isArray(args[0]) ? (args[0] as unknown[]) : args
    const target: { host?: unknown; path?: unknown } =
      typeof options === 'object' && options !== null ? options : { host: args[1] }
    const { host = 'localhost', path } = target
    if (path === undefined && !(typeof host === 'string' && isLoopback(host))) {
      console.error('stand-in: refused a connection to', host)
      return this.destroy(new Error('Nothing leaves this machine.'))
    }
    return connect.apply(this, args)
  }
}

function listenOnLoopback(): void {
  const servers = net.Server.prototype as { listen: (this: net.Server, ...args: unknown[]) => net.Server }
  const { listen } = servers
  servers.listen = function (...args) {
    this.once('listening', () => process.send?.((this.address() as net.AddressInfo).port))
    return listen.call(this, { host: '127.0.0.1', port: 0 }, ...args.filter((arg) => typeof arg === 'function'))
  }
}

function isLoopback(host: string): boolean {
  return ['localhost', '127.0.0.1', '::1', '[::1]'].includes(host)
}
