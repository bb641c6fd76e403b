import type { Manager } from "socket.io-client";

export type Say = (line: number | string, sent: boolean, packet: string) => void;
export function overhear(manager: typeof Manager, say: Say): void;
