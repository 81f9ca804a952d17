package compose_test

import (
	"context"
	"fmt"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/compose"
	"gitea.arcodange.lab/arcodange-org/lab/compose/composetest"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// A stack is deployed to a machine of this process; on a real one nothing else is different.
func Example() {
	box, err := hosttest.Start(hosttest.Config{Sleep: func(<-chan struct{}, time.Duration) {}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()
	docker := composetest.Install(box, composetest.Config{Registry: []composetest.Image{{Name: "nginx:1.29"}}})
	machine := &host.Machine{Target: ssh.Target{Name: "pi2", Address: box.Addr(), User: box.User(),
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}}}}
	defer machine.Close()

	ctx := context.Background()
	stack, err := compose.Load(ctx, compose.Source{
		Name: "web",
		Content: []byte(`services:
  web:
    image: nginx:1.29
    restart: unless-stopped
    secrets: [key]
    environment: {KEY_FILE: /run/secrets/key}
secrets: {key: {file: ./key}}
`),
		Secrets: map[string]lab.Secret{"key": lab.NewSecret("hidden")},
		Lock:    docker.Lock("nginx:1.29"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		plan, err := machine.Plan(ctx, host.State{stack})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(plan.Summary())
		report, err := plan.Apply(ctx, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(report.Summary())
	}
	// Output:
	// 8 changes: 7 to create, 1 to run
	// 8 changes: 8 done
	// nothing to do
	// nothing to do
}

// The lock says which image each name stands for. It is written on request, beside the compose.yaml.
func ExampleLock_Format() {
	fmt.Printf("%s", compose.Lock{"nginx:1.29": {Digest: "sha256:" +
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}}.Format())
	// Output:
	// # Which image each name in compose.yaml stands for. Written on request; deploying never changes it.
	// images:
	//   "nginx:1.29": {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
}
