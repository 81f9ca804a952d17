// Package vault measures what a plan of a converged Vault costs, with 200 apps, which are 1,200 objects and what they
// share, beside the floor of a client that reads each object by its own request, ten at a time and nothing more, as the
// refresh of Terraform's provider does at the least.
//
//	go test ./bench/vault -bench . -benchtime 5x
//
// Requests are counted on both sides, and the test fails when a plan asks for more than package vaultprov says.
package vault
