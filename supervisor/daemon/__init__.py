"""The steps and helpers of the daemon that `supervisord` puts together."""
