package host_test

import (
	"context"
	"fmt"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// A machine is planned and changed, and its next plan is empty.
func Example() {
	box, err := hosttest.Start(hosttest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()
	m := &host.Machine{Target: ssh.Target{
		Name: "pi1", Address: box.Addr(), User: box.User(),
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}},
	}}
	defer m.Close()
	ctx := context.Background()
	want := host.State{
		host.Directory{Path: "/opt/stacks", Mode: 0o750},
		host.File{Path: "/etc/motd", Content: "hello\n", Mode: 0o600},
	}
	plan, err := m.Plan(ctx, want)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(plan)
	report, err := plan.Apply(ctx, nil)
	fmt.Println(report.Summary(), err)
	plan, err = m.Plan(ctx, want)
	fmt.Println(plan.Summary(), err)
	// Output:
	// host/pi1
	//   + create  directory:/opt/stacks: not found
	//       mode 0750, owner root:root
	//   + create  file:/etc/motd: not found
	//       mode 0600, owner root:root
	// 2 changes: 2 to create
	// 2 changes: 2 done <nil>
	// nothing to do <nil>
}

// All problems of a state are reported before anything is dialled.
func ExampleState_Validate() {
	s := host.State{host.Line{Path: "/etc/hosts", Line: "192.0.2.10 gitea.arcodange.lab"}}
	fmt.Println(s[0].ID(), s.Validate())
	s = append(s, host.Command{Name: "always", Run: "date"})
	fmt.Println(s.Validate())
	// Output:
	// line:/etc/hosts:192.0.2.10 gitea.arcodange.lab <nil>
	// [1].unless: the command would run every time (set unless, creates or removes)
}
