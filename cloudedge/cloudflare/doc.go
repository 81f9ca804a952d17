// Package cloudflare provisions an account of Cloudflare: R2 buckets, API tokens, zones with their settings and
// records, tunnels, Pages projects and Turnstile widgets.
package cloudflare
