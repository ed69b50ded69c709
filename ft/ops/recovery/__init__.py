"""What is done before and after a loss: backups, their restore, topics made anew, and emptying on purpose."""
