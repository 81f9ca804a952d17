package hosttest

import "gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"

// execScript runs a shell script as root.
func execScript(k *kernel.Kernel, script string, stdin []byte) (stdout, stderr string, code int) {
	p := k.NewProcess(nil)
	p.SetEnv(rootEnv())
	p.Chdir("/root")
	inR, inW := kernel.NewPipe(0).Descriptions()
	inW.Write(nil, stdin)
	inW.Release()
	outR, outW := kernel.NewPipe(0).Descriptions()
	errR, errW := kernel.NewPipe(0).Descriptions()
	p.Give(inR, outW, errW)
	p.Go(func(p *kernel.Process) int {
		code, err := p.Exec("/bin/sh", []string{"sh", "-c", script}, p.Env)
		if err != nil {
			p.Warnf("sh: %s\n", kernel.Strerror(err))
			return 127
		}
		return code
	})
	<-p.Done
	drain := func(d *kernel.File) string {
		defer d.Release()
		return string(d.Stream.(kernel.PipeReader).Unread())
	}
	return drain(outR), drain(errR), p.Status.ExitCode()
}

func rootEnv() []string {
	return []string{
		"HOME=/root", "LOGNAME=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SHELL=/bin/bash", "USER=root",
	}
}
