"""What must be survived: blocks made to hurt, garbage on the topics, servers that are not the ones they were."""
