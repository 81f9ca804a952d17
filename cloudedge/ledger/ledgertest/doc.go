// Package ledgertest is a bucket of Google Cloud Storage in this process, as package ledger uses one: objects with
// generations, which are written and removed if the generation is the one that is required. An unknown request is an error.
package ledgertest
