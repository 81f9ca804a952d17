package systemd

import (
	"path"
	"slices"
	"strings"
	"sync"
)

// A UnitFile is the settings of a unit: "Section.Key" to the values given, in order.
type UnitFile struct {
	settings map[string][]string
	problems []string // lines that systemd would warn about
	bad      string   // why the unit cannot be loaded
}

func (u *UnitFile) get(key string) string {
	v := u.settings[key]
	if len(v) == 0 {
		return ""
	}
	return v[len(v)-1]
}

func (u *UnitFile) all(key string) []string { return u.settings[key] }

// Words gives the space-separated values of a list setting.
func (u *UnitFile) Words(key string) []string {
	var out []string
	for _, v := range u.settings[key] {
		out = append(out, strings.Fields(v)...)
	}
	return out
}

// unitSections are the sections each type may have.
var unitSections = map[string][]string{
	".service":   {"Unit", "Service", "Install"},
	".timer":     {"Unit", "Timer", "Install"},
	".socket":    {"Unit", "Socket", "Install"},
	".mount":     {"Unit", "Mount", "Install"},
	".automount": {"Unit", "Automount", "Install"},
	".target":    {"Unit", "Install"},
	".path":      {"Unit", "Path", "Install"},
	".swap":      {"Unit", "Swap", "Install"},
	".slice":     {"Unit", "Slice", "Install"},
	".scope":     {"Unit", "Scope"},
	".device":    {"Unit"},
}

// ParseUnit reads the text of a unit file or a drop-in. file is for messages.
func ParseUnit(text, file string) *UnitFile {
	u := &UnitFile{settings: map[string][]string{}}
	section := ""
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		at := i + 1
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			next := strings.TrimSpace(lines[i])
			if next != "" && (next[0] == '#' || next[0] == ';') {
				next = `\`
			}
			line = strings.TrimSpace(line[:len(line)-1]) + " " + next
		}
		warn := func(s string) { u.problems = append(u.problems, file+":"+itoa(at)+": "+s) }
		if line[0] == '[' {
			if line[len(line)-1] != ']' {
				warn("Invalid section header '" + line + "'")
				u.bad = "bad-setting"
				continue
			}
			section = line[1 : len(line)-1]
			if ok := unitSections[unitType(file)]; ok != nil && !slices.Contains(ok, section) &&
				!strings.HasPrefix(section, "X-") {
				warn("Unknown section '" + section + "'. Ignoring.")
				section = "?"
			}
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if section == "" {
			warn("Assignment outside of section. Ignoring.")
			continue
		}
		if !ok {
			warn("Missing '=', ignoring line.")
			continue
		}
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		if section == "?" || strings.HasPrefix(section, "X-") {
			continue
		}
		key := section + "." + k
		if !knownDirective(section, k) {
			warn("Unknown key name '" + k + "' in section '" + section + "', ignoring.")
			continue
		}
		if v == "" {
			u.settings[key] = nil // an empty assignment resets a list
			continue
		}
		u.settings[key] = append(u.settings[key], v)
	}
	return u
}

func unitType(name string) string {
	if i := strings.Index(name, ".d/"); i >= 0 {
		name = name[:i]
	}
	return path.Ext(name)
}

// knownDirective tells the settings of systemd.unit(5), systemd.service(5) and so on that this machine accepts.
func knownDirective(section, key string) bool {
	switch {
	case section == "Unit" && (strings.HasPrefix(key, "Condition") || strings.HasPrefix(key, "Assert")):
		return true
	case section == "Socket" && strings.HasPrefix(key, "Listen"):
		return true
	}
	keys, ok := sectionKeys[section]
	if !ok {
		keys = serviceKeys
	}
	return slices.Contains(keys, key)
}

// sectionKeys are the settings of the sections. Any other section has those of a service.
var sectionKeys = map[string][]string{
	"Unit": unitKeys,
	"Install": strings.Fields(`
		WantedBy RequiredBy UpheldBy Alias Also DefaultInstance`),
	"Timer": strings.Fields(`
		OnCalendar OnBootSec OnStartupSec OnActiveSec OnUnitActiveSec OnUnitInactiveSec AccuracySec
		RandomizedDelaySec FixedRandomDelay Persistent WakeSystem RemainAfterElapse Unit OnClockChange
		OnTimezoneChange`),
	"Mount": strings.Fields(`
		What Where Type Options SloppyOptions LazyUnmount ForceUnmount DirectoryMode TimeoutSec ReadWriteOnly`),
	"Automount": strings.Fields(`
		Where ExtraOptions DirectoryMode TimeoutIdleSec`),
	"Swap": strings.Fields(`
		What Priority Options TimeoutSec`),
	"Path": strings.Fields(`
		PathExists PathExistsGlob PathChanged PathModified DirectoryNotEmpty Unit MakeDirectory DirectoryMode`),
	"Socket": strings.Fields(`
		Accept SocketUser SocketGroup SocketMode DirectoryMode Service RemoveOnStop Symlinks MaxConnections
		FileDescriptorName PassCredentials PassSecurity ReceiveBuffer SendBuffer Backlog BindIPv6Only FreeBind
		TriggerLimitIntervalSec`),
}

var unitKeys = strings.Fields(`
	Description Documentation Wants Requires Requisite BindsTo PartOf Upholds Conflicts Before After OnFailure
	OnSuccess PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf
	RequiresMountsFor WantsMountsFor OnFailureJobMode OnSuccessJobMode IgnoreOnIsolate StopWhenUnneeded
	RefuseManualStart RefuseManualStop AllowIsolate DefaultDependencies SurviveFinalKillSignal CollectMode
	FailureAction SuccessAction FailureActionExitStatus SuccessActionExitStatus JobTimeoutSec JobRunningTimeoutSec
	JobTimeoutAction JobTimeoutRebootArgument StartLimitIntervalSec StartLimitInterval StartLimitBurst
	StartLimitAction RebootArgument SourcePath`)

var serviceKeys = strings.Fields(`
	Type ExitType RemainAfterExit GuessMainPID PIDFile BusName ExecStart ExecStartPre ExecStartPost ExecCondition
	ExecReload ExecStop ExecStopPost RestartSec TimeoutStartSec TimeoutStopSec TimeoutAbortSec TimeoutSec
	TimeoutStartFailureMode TimeoutStopFailureMode RuntimeMaxSec RuntimeRandomizedExtraSec WatchdogSec Restart
	SuccessExitStatus RestartPreventExitStatus RestartForceExitStatus RootDirectoryStartOnly NonBlocking
	NotifyAccess Sockets FileDescriptorStoreMax USBFunctionDescriptors OOMPolicy OpenFile ReloadSignal
	WorkingDirectory RootDirectory RootImage ProtectProc ProcSubset BindPaths BindReadOnlyPaths User Group
	DynamicUser SupplementaryGroups PAMName CapabilityBoundingSet AmbientCapabilities NoNewPrivileges SecureBits
	SELinuxContext AppArmorProfile LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE LimitAS
	LimitNPROC LimitMEMLOCK LimitLOCKS LimitSIGPENDING LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME UMask
	CoredumpFilter KeyringMode OOMScoreAdjust TimerSlackNSec Personality IgnoreSIGPIPE Nice CPUSchedulingPolicy
	CPUSchedulingPriority CPUSchedulingResetOnFork CPUAffinity NUMAPolicy NUMAMask IOSchedulingClass
	IOSchedulingPriority ProtectSystem ProtectHome RuntimeDirectory StateDirectory CacheDirectory LogsDirectory
	ConfigurationDirectory RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode
	ConfigurationDirectoryMode RuntimeDirectoryPreserve ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths
	NoExecPaths TemporaryFileSystem PrivateTmp PrivateDevices PrivateNetwork PrivateIPC PrivateUsers ProtectHostname
	ProtectClock ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups
	RestrictAddressFamilies RestrictFileSystems RestrictNamespaces LockPersonality MemoryDenyWriteExecute
	RestrictRealtime RestrictSUIDSGID RemoveIPC PrivateMounts MountFlags SystemCallFilter SystemCallErrorNumber
	SystemCallArchitectures SystemCallLog Environment EnvironmentFile PassEnvironment UnsetEnvironment StandardInput
	StandardOutput StandardError StandardInputText LogLevelMax LogExtraFields LogRateLimitIntervalSec
	LogRateLimitBurst SyslogIdentifier SyslogFacility SyslogLevel TTYPath TTYReset LoadCredential
	LoadCredentialEncrypted SetCredential SetCredentialEncrypted UtmpIdentifier KillMode KillSignal
	RestartKillSignal SendSIGHUP SendSIGKILL FinalKillSignal WatchdogSignal CPUAccounting CPUWeight StartupCPUWeight
	CPUQuota CPUQuotaPeriodSec AllowedCPUs MemoryAccounting MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax
	TasksAccounting TasksMax IOAccounting IOWeight IODeviceWeight IPAccounting IPAddressAllow IPAddressDeny
	SocketBindAllow SocketBindDeny DeviceAllow DevicePolicy Slice Delegate DisableControllers ManagedOOMSwap
	ManagedOOMMemoryPressure StartLimitInterval StartLimitBurst StartLimitIntervalSec`)

func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	neg := n < 0
	if neg {
		n = -n
	}
	var b [20]byte
	i := len(b)
	for ; n > 0; n /= 10 {
		i--
		b[i] = byte('0' + n%10)
	}
	if neg {
		i--
		b[i] = '-'
	}
	return string(b[i:])
}

// merge adds a drop-in: what it assigns is appended, and an empty assignment resets.
func (u *UnitFile) merge(text, file string) *UnitFile {
	d := ParseUnit(text, file)
	out := &UnitFile{settings: make(map[string][]string, len(u.settings)+len(d.settings)),
		problems: append(slices.Clone(u.problems), d.problems...), bad: u.bad}
	for k, v := range u.settings {
		out.settings[k] = v
	}
	reset := resets(text)
	for k, v := range d.settings {
		if reset[k] || !listSetting(k) {
			out.settings[k] = v
		} else {
			out.settings[k] = append(slices.Clone(out.settings[k]), v...)
		}
	}
	return out
}

// resets finds the settings that a drop-in empties.
func resets(text string) map[string]bool {
	out := map[string]bool{}
	section := ""
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		}
		if k, ok := strings.CutSuffix(line, "="); ok {
			out[section+"."+strings.TrimSpace(k)] = true
		}
	}
	return out
}

// listSetting tells that a setting can have more than one value, so that a drop-in adds to them.
func listSetting(key string) bool {
	_, k, _ := strings.Cut(key, ".")
	return strings.HasPrefix(k, "Exec") || strings.HasPrefix(k, "Condition") || strings.HasPrefix(k, "Assert") ||
		strings.HasPrefix(k, "On") && !strings.HasSuffix(k, "JobMode") || slices.Contains(listKeys, k)
}

var listKeys = strings.Fields(`
	Wants Requires Requisite BindsTo PartOf Conflicts Before After Environment EnvironmentFile WantedBy
	RequiredBy Alias Also RequiresMountsFor ReadWritePaths ReadOnlyPaths SystemCallFilter SupplementaryGroups
	Documentation ListenStream DeviceAllow`)

// unitMemo keeps parsed unit files of the images, which all machines share.
var unitMemo struct {
	mu sync.Mutex
	m  map[*byte]*UnitFile
}

func parseShared(raw []byte, file string) *UnitFile {
	if len(raw) == 0 {
		return ParseUnit("", file)
	}
	unitMemo.mu.Lock()
	defer unitMemo.mu.Unlock()
	if u := unitMemo.m[&raw[0]]; u != nil {
		return u
	}
	u := ParseUnit(string(raw), file)
	if unitMemo.m == nil {
		unitMemo.m = map[*byte]*UnitFile{}
	}
	unitMemo.m[&raw[0]] = u
	return u
}
