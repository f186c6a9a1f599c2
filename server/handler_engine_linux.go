package server

// handlerEngine is the engine of a handler of net/http whose Options name none. Each request wakes
// a loop from another goroutine, which costs gnet a system call and often a change of threads.
const handlerEngine = EngineEpoll
