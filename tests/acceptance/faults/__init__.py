"""What must survive: killed and stopped workers, lost folders, restarted servers, garbage on the topics."""
