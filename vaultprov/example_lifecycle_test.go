package vaultprov_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov"
	"gitea.arcodange.lab/arcodange-org/lab/vaultprov/vaulttest"
)

// A Vault is initialised, once, its keys are kept, and it is unsealed with them.
func ExampleServer_Init() {
	dir, err := os.MkdirTemp("", "keys-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	v, err := vaulttest.Start(vaulttest.Config{Uninitialized: true}) // a real one elsewhere
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	ctx := context.Background()
	server := &vaultprov.Server{Address: v.Address()}
	sink := lab.SecretDir{Path: dir}

	apply := func(p *lab.Plan, err error) {
		if err == nil {
			_, err = p.Apply(ctx, nil)
		}
		st, failed := server.Status(ctx)
		if err = errors.Join(err, failed); err != nil {
			log.Fatal(err)
		}
		fmt.Println(st)
	}
	apply(server.Init(ctx, vaultprov.Init{Sink: sink, Shares: 3, Threshold: 2}))
	kept, err := sink.Get(ctx, "vault-init")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := vaultprov.ParseKeys(kept)
	if err != nil {
		log.Fatal(err)
	}
	apply(vaultprov.Unseal(ctx, keys, server))
	fmt.Println(keys.Threshold, "of", len(keys.Shares), "shares", keys.Shares[0])
	// Output:
	// sealed
	// active
	// 2 of 3 shares (secret)
}
