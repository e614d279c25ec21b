<#
.SYNOPSIS
Runs Belfry's server and workers on Windows, also after a restart of the machine.

.DESCRIPTION
install   registers two tasks that Windows runs at its start: the server, and the
          workers in the background with --auto-restart. Run it as administrator.
remove    takes them off. Data, settings and logs stay.
start, stop, restart, status, monitor
          the workers, as belfry worker start, stop … do.

.EXAMPLE
.\belfry.ps1 install -Config C:\Belfry\belfry.yaml
.\belfry.ps1 status
.\belfry.ps1 restart
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true, Position = 0)]
    [ValidateSet('install', 'remove', 'start', 'stop', 'restart', 'status', 'monitor')]
    [string] $Action,

    # belfry.exe; its folder holds everything else unless the options below say otherwise.
    [string] $Program = (Join-Path $PSScriptRoot 'belfry.exe'),
    [string] $DataDir = (Join-Path $env:ProgramData 'Belfry\data'),
    [string] $Config = (Join-Path $env:ProgramData 'Belfry\belfry.yaml'),

    # The workers' options.
    [string] $Queue = 'default,notifications',
    [int] $Processes = 1,
    [int] $Memory = 256,

    # The account that the tasks run as. NetworkService has few rights; give it
    # the data folder with install, which does so.
    [string] $Account = 'NT AUTHORITY\NetworkService'
)

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest

$serverTask = 'Belfry server'
$workerTask = 'Belfry workers'

$common = @('--data-dir', $DataDir)
if (Test-Path -LiteralPath $Config) { $common += @('--config', $Config) }
$work = @("--queue=$Queue", "--processes=$Processes", "--memory=$Memory", '--auto-restart')

function Get-CommandLine([string[]] $Arguments) {
    ($Arguments | ForEach-Object { if ($_ -match '\s') { '"{0}"' -f $_ } else { $_ } }) -join ' '
}

function Register-Belfry([string] $Name, [string[]] $Arguments) {
    $run = New-ScheduledTaskAction -Execute $Program -Argument (Get-CommandLine ($Arguments + $common)) -WorkingDirectory (Split-Path -Parent $Program)
    $when = New-ScheduledTaskTrigger -AtStartup
    $who = New-ScheduledTaskPrincipal -UserId $Account -LogonType ServiceAccount
    # No time limit; a process that fails is started again.
    $how = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -StartWhenAvailable `
        -ExecutionTimeLimit ([TimeSpan]::Zero) -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1)
    Register-ScheduledTask -TaskName $Name -Action $run -Trigger $when -Principal $who -Settings $how -Force | Out-Null
}

function Invoke-Belfry([string[]] $Arguments) {
    & $Program @Arguments @common
    exit $LASTEXITCODE
}

switch ($Action) {
    'install' {
        New-Item -ItemType Directory -Force -Path $DataDir | Out-Null
        # Nobody but the account, the system and administrators may read it.
        & icacls.exe $DataDir /inheritance:r /grant "${Account}:(OI)(CI)F" 'SYSTEM:(OI)(CI)F' 'Administrators:(OI)(CI)F' | Out-Null
        Register-Belfry $serverTask @('serve', '--no-workers')
        Register-Belfry $workerTask (@('worker', 'start') + $work)
        Start-ScheduledTask -TaskName $serverTask
        Start-ScheduledTask -TaskName $workerTask
        Write-Output "Belfry runs, and will after each restart of Windows. See: $Program worker status --data-dir $DataDir"
    }
    'remove' {
        & $Program worker stop @common
        foreach ($name in @($workerTask, $serverTask)) {
            Stop-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
            Unregister-ScheduledTask -TaskName $name -Confirm:$false -ErrorAction SilentlyContinue
        }
    }
    'start' { Invoke-Belfry (@('worker', 'start') + $work) }
    'restart' { Invoke-Belfry @('worker', 'restart') }
    default { Invoke-Belfry @('worker', $Action) }
}
