package sh

func biUlimit(sh *shell, args []string) int {
	if len(args) == 2 {
		switch args[1] {
		case "-n":
			return sh.output([]byte("1024\n"), "ulimit")
		case "-c":
			return sh.output([]byte("0\n"), "ulimit")
		case "-f", "-t", "-d", "-v", "-m":
			return sh.output([]byte("unlimited\n"), "ulimit")
		}
	}
	return 0
}
