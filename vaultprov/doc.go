// Package vaultprov brings up a Vault and keeps what it serves: from the first init to the short-lived
// database credentials of an app.
//
//	s := &vaultprov.Server{Address: "https://vault.lab:8200", CA: ca, Token: vaultprov.StaticToken(token)}
//	p, err := s.Plan(ctx, spec)
//	fmt.Print(p)
//	r, err := p.Apply(ctx, nil)
package vaultprov
