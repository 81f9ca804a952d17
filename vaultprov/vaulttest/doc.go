// Package vaulttest is a Vault in this process, for tests of what uses package vaultprov. It speaks Vault's HTTP
// API over loopback, and holds its state in memory: init, seal and unseal by shares, root tokens by shares, tokens
// with policies and expiry, mounts, KV v1 and v2, the database, transit, jwt, kubernetes and approle engines,
// audit devices, leases.
//
//	v := vaulttest.New(t, vaulttest.Config{})
//	server := v.Access()
//	p, err := server.Plan(ctx, spec)
//
// It answers what vaultprov asks, as Vault 1.21 does, with its words. A request that it does not know is an error,
// never a success. It encrypts nothing, makes no users in databases, and asks no Kubernetes about a token.
//
// Time is the machine's until [Server.Advance] moves it on: tokens and leases end then. Faults are asked for by
// number or for a while, see [Server.HTTP].
package vaulttest
