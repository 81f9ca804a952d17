package host

// Kinds returns a zero value of every kind of resource in this package, by its name in documents.
func Kinds() map[string]Resource {
	return map[string]Resource{
		"archive":       Archive{},
		"aptSource":     AptSource{},
		"authorizedKey": AuthorizedKey{},
		"block":         Block{},
		"caCertificate": CACertificate{},
		"command":       Command{},
		"cron":          Cron{},
		"directory":     Directory{},
		"disk":          Disk{},
		"download":      Download{},
		"dropIn":        DropIn{},
		"file":          File{},
		"group":         Group{},
		"hostname":      Hostname{},
		"kernelCmdline": KernelCmdline{},
		"kernelModule":  KernelModule{},
		"line":          Line{},
		"link":          Link{},
		"mount":         Mount{},
		"noSwap":        NoSwap{},
		"package":       Package{},
		"reboot":        Reboot{},
		"sysctl":        Sysctl{},
		"timer":         Timer{},
		"timezone":      Timezone{},
		"unit":          Unit{},
		"unitFile":      UnitFile{},
		"user":          User{},
	}
}
