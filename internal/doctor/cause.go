package doctor

// Cause names what is wrong.
type Cause string

// What can be wrong with a server and the way to it.
const (
	HostUnknown       Cause = "host_unknown"
	NotReached        Cause = "not_reached"
	TLSNotSpoken      Cause = "tls_not_spoken"
	TLSUntrusted      Cause = "tls_untrusted"
	TLSExpires        Cause = "tls_expires"
	ClockOff          Cause = "clock_off"
	NoSuchApp         Cause = "no_such_app"
	NoSuchKey         Cause = "no_such_key"
	WrongSecret       Cause = "wrong_secret"
	AppDisabled       Cause = "app_disabled"
	APIRefused        Cause = "api_refused"
	UpgradeNotPassed  Cause = "upgrade_not_passed"
	SocketRefused     Cause = "socket_refused"
	OriginRefused     Cause = "origin_refused"
	ChannelRefused    Cause = "channel_refused"
	EventLost         Cause = "event_lost"
	IdleClosed        Cause = "idle_closed"
	SettingsInvalid   Cause = "settings_invalid"
	FolderNotWritable Cause = "folder_not_writable"
	FolderOpen        Cause = "folder_open_to_others"
	PortTaken         Cause = "port_taken"
	NotRunning        Cause = "not_running"
	FewFiles          Cause = "few_file_descriptors"
	LittleMemory      Cause = "little_memory"
	DatabaseAway      Cause = "database_away"
	SchemaOld         Cause = "schema_old"
	DiskFull          Cause = "disk_full"
	Degraded          Cause = "degraded"
	BroadcasterMute   Cause = "broadcaster_mute"
	BroadcasterAway   Cause = "broadcaster_away"
	QueueAway         Cause = "queue_away"
	NoWorker          Cause = "no_worker"
	QueuePaused       Cause = "queue_paused"
	NoWebhookSecret   Cause = "no_webhook_secret"
	WeakWebhookSecret Cause = "weak_webhook_secret"
	WebhookRefused    Cause = "webhook_refused"
	AuthNotAnswered   Cause = "authorization_not_answered"
)

// What can be wrong with a project's .env.
const (
	EnvMissing       Cause = "env_missing_key"
	EnvPrefix        Cause = "env_wrong_prefix"
	EnvBroadcaster   Cause = "env_null_broadcaster"
	EnvOldName       Cause = "env_old_name"
	EnvClusterHost   Cause = "env_cluster_with_host"
	EnvTLSPort       Cause = "env_tls_on_plain_port"
	EnvHostScheme    Cause = "env_host_with_scheme"
	EnvQueueWorker   Cause = "env_queue_without_worker"
	EnvQuotes        Cause = "env_quotes_or_spaces"
	EnvDiffers       Cause = "env_values_differ"
	EnvExample       Cause = "env_example_credentials"
	EnvSecretExposed Cause = "env_secret_in_front_end"
	EnvBadPort       Cause = "env_bad_port"
)
