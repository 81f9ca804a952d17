// Package cloudflaretest is an API of Cloudflare in this process, for what package cloudflare asks.
package cloudflaretest
