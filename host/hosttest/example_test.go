package hosttest_test

import (
	"fmt"
	"log"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func Example() {
	m, err := hosttest.Start(hosttest.Config{Hostname: "pi2"})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	c, err := ssh.Dial("tcp", m.Addr(), &ssh.ClientConfig{
		User:            m.User(),
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(m.ClientKey())},
		HostKeyCallback: ssh.FixedHostKey(m.HostKey()),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Output("hostname; sudo sh -c 'echo managed >/etc/marker'")
	if err != nil {
		log.Fatal(err)
	}
	marker, _ := m.FS().ReadFile("/etc/marker")
	fmt.Printf("%s%s%d write(s)\n", out, marker, m.Counters().Writes)
	// Output:
	// pi2
	// managed
	// 2 write(s)
}

// A program that a test adds runs as a process of the machine.
func ExampleMachine_Handle() {
	m, err := hosttest.Start(hosttest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	m.Handle("/usr/local/bin/k3s", func(p *hosttest.Process) int {
		fmt.Fprintln(p.Stdout(), "k3s version v1.34.3+k3s1 for uid", p.UID())
		return 0
	})
	out, err := m.Exec("k3s --version | cut -d' ' -f3-")
	fmt.Println(out, err)
	// Output:
	// v1.34.3+k3s1 for uid 0
	//  <nil>
}

// Every write can be the last one before the power fails.
func ExampleFaults_PowerCutAtWrite() {
	m, err := hosttest.Start(hosttest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	up := m.Faults().PowerCutAtWrite(2)
	m.Exec("echo one >/a; echo two >/b")
	<-up
	out, _ := m.Exec("ls -l /a | cut -d' ' -f5; ls /b 2>/dev/null")
	fmt.Print(out)
	// Output:
	// 0
}
