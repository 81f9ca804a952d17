package netclient_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

func TestFetchTools(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	m.Serve("https://get.example.org/v1/tool", []byte("content\n"))
	m.Listen(8080, func(c net.Conn) {
		defer c.Close()
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		if req.URL.Path == "/moved" {
			fmt.Fprintf(c, "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
			return
		}
		body := req.Method + " " + req.URL.Path + " " + req.Header.Get("X-A") + "\n"
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	for _, c := range []struct{ name, script, want string }{
		{"engine", "curl -fsSL --proto '=https,http' --proto-redir '=https' --retry 3 --connect-timeout 20 -o /tmp/t " +
			"-- https://get.example.org/v1/tool; echo $?; cat /tmp/t", "0\ncontent\n"},
		{"stdout", "curl -s https://get.example.org/v1/tool; curl -sO https://get.example.org/v1/tool; cat tool; " +
			"curl -s -o /dev/null -w '%{http_code} %{size_download}\\n' https://get.example.org/v1/tool",
			"content\ncontent\n200 8\n"},
		{"not found", "curl -fsSL -o /tmp/n https://get.example.org/x; echo $?; ls /tmp/n; " +
			"curl -s https://get.example.org/x; echo $?; curl -fs https://get.example.org/x; echo $?",
			"curl: (22) The requested URL returned error: 404\n22\nls: cannot access '/tmp/n': No such file or " +
				"directory\n404 page not found\n0\n22\n"},
		{"no host", "curl -sS http://nosuch.invalid/; echo $?; curl -s http://nosuch.invalid/; echo $?",
			"curl: (6) Could not resolve host: nosuch.invalid\n6\n6\n"},
		{"refused", "curl -sS http://127.0.0.1:1/; echo $?; curl -sS 192.0.2.1; echo $?",
			"curl: (7) Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server\n7\n" +
				"curl: (7) Failed to connect to 192.0.2.1 port 80 after 0 ms: Couldn't connect to server\n7\n"},
		{"protocols", "curl -sS --proto '=https' http://x/; echo $?; curl -sS foo://x; echo $?; " +
			"curl -sS --proto -http,-https http://x/; echo $?",
			"curl: (1) Protocol \"http\" not supported or disabled in libcurl\n1\n" +
				"curl: (1) Protocol \"foo\" not supported or disabled in libcurl\n1\n" +
				"curl: (1) Protocol \"http\" not supported or disabled in libcurl\n1\n"},
		{"usage", "curl; echo $?; curl --foo; echo $?; curl -o; echo $?; curl -q9; echo $?",
			"curl: no URL specified!\ncurl: try 'curl --help' or 'curl --manual' for more information\n2\n" +
				"curl: option --foo: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n2\n" +
				"curl: option -o: requires parameter\ncurl: try 'curl --help' or 'curl --manual' for more " +
				"information\n2\ncurl: option -9: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more " +
				"information\n2\n"},
		{"own port", "curl -s localhost:8080/a -H 'X-A: b'; curl -s -d x=1 http://127.0.0.1:8080/b; " +
			"curl -s -L http://localhost:8080/moved; curl -sS -L --proto-redir =https http://localhost:8080/moved; " +
			"echo $?",
			"GET /a b\nPOST /b \nGET /there \ncurl: (1) Protocol \"http\" disabled or not supported\n1\n"},
		{"no place", "curl -sS -o /nosuch/x https://get.example.org/v1/tool; echo $?; " +
			"curl -sSO https://get.example.org/; echo $?",
			"curl: (23) Failure writing output to destination\n23\ncurl: (23) Failed writing received data to " +
				"disk/application\n23\n"},
		{"wget", "cd /tmp; rm -f *; wget -q https://get.example.org/v1/tool; " +
			"wget -q https://get.example.org/v1/tool; ls; wget -qO- https://get.example.org/v1/tool; " +
			"wget -q -O o https://get.example.org/x; echo $?; wc -c <o; wget -q http://nosuch.invalid; echo $?; " +
			"wget -q http://127.0.0.1:1; echo $?; wget; echo $?",
			"tool\ntool.1\ncontent\n8\n0\n4\n4\nwget: missing URL\nUsage: wget [OPTION]... [URL]...\n\n" +
				"Try `wget --help' for more options.\n1\n"},
		{"ip", "ip -4 -o addr show dev eth0; ip route show default; ip -j route show default; ip addr show nosuch; " +
			"echo $?; ip foo; echo $?; ip -br addr; ip -j addr show dev lo | head -c 60",
			"2: eth0    inet 192.168.1.201/24 brd 192.168.1.255 scope global eth0\\       valid_lft forever " +
				"preferred_lft forever\ndefault via 192.168.1.1 dev eth0 proto dhcp src 192.168.1.201 metric 100 \n" +
				`[{"dst":"default","gateway":"192.168.1.1","dev":"eth0","protocol":"dhcp",` +
				`"prefsrc":"192.168.1.201","metric":100,"flags":[]}]` + "\nDevice \"nosuch\" does not exist.\n1\nObject \"foo\" " +
				"is unknown, try \"ip help\".\n1\n" +
				"lo               UNKNOWN        127.0.0.1/8 ::1/128 \n" +
				"eth0             UP             192.168.1.201/24 fe80::2ecf:67ff:fe00:1/64 \n" +
				`[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_`},
		{"ss", "ss -Hltn4", "LISTEN 0      128      0.0.0.0:22 0.0.0.0:*\nLISTEN 0      128    0.0.0.0:8080 " +
			"0.0.0.0:*\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := m.Exec("exec 2>&1; " + c.script)
			if err != nil && !strings.HasPrefix(err.Error(), "exit code") {
				t.Fatal(err)
			}
			if out != c.want {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", c.script, out, c.want)
			}
		})
	}
}
