// Package cloudflaretest is the API of an account of Cloudflare in this process, for what package cloudflare asks.
//
// It is no kinder than Cloudflare: lists have pages, and late objects if [Config].Lag says so; IDs of permission groups differ
// from server to server; policies come back in another order; names of tokens and widgets are not unique; a PUT removes what
// it leaves out; batches are done whole or not at all; nothing of another jurisdiction is found; a request with a field that
// it does not know is an error of the test. It knows nothing else: a request that our client never sends is refused with
// status 501, and is a violation.
package cloudflaretest
